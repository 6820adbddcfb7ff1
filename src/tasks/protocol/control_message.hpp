// Requests and replies of remote control (kombu's pidbox).
#pragma once

#include "core/error.hpp"
#include "skirmish/tasks/types.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skirmish::tasks {

// How long a revoked id is remembered, as in Celery.
inline constexpr std::chrono::seconds revoke_memory{10'800};
inline constexpr std::size_t revoke_memory_limit = 50'000;

struct control_address {
  std::vector<std::string> destination = {};  // empty: all workers
  std::string reply_queue_id = {};            // empty: no reply wanted
  std::string ticket = {};
};

// The envelope of a broadcast.
std::string control_request(std::string_view method, json_object arguments,
                            const control_address& to);

struct received_request {
  std::string method;
  json_object arguments;
  std::vector<std::string> destination;
  bool has_destination = false;
  std::string pattern, matcher;
  std::string ticket;
  std::string reply_exchange, reply_key;
  std::uint64_t clock = 0;

  [[nodiscard]] bool is_for(std::string_view node) const;
};
result<received_request> parse_control_request(std::string_view envelope);

// The envelope of a reply: `{node: answer}`.
std::string control_reply(const received_request& to, std::string_view node, const json& answer,
                          std::uint64_t clock);

// The decoded body of any of kombu's plain envelopes.
result<json> plain_body(std::string_view envelope);

// Replies: {"ok": text} and {"error": text}.
json control_ok(std::string text);
json control_error(std::string text);
// The strings under a name, or the one string; empty when there is none.
std::vector<std::string> strings_at(const json_object& arguments, std::string_view name);

}  // namespace skirmish::tasks
