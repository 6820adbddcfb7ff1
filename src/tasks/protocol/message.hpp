// A task message as it comes from a queue: the envelope of kombu, and the headers of Celery's
// protocols 1 and 2.
#pragma once

#include "core/error.hpp"
#include "skirmish/tasks/types.hpp"
#include "tasks/protocol/wall_time.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace skirmish::tasks {

// Its views point into `raw` (or into `decoded`), so it cannot be copied or moved.
struct message {
  explicit message(std::string envelope) : raw(std::move(envelope)) {}
  message(const message&) = delete;
  message& operator=(const message&) = delete;

  std::string raw;
  std::string tag;    // under which it is held in `unacked`
  std::string queue;  // where it came from

  // Decoded texts; empty when absent or null.
  std::string_view task, id, root_id, parent_id, group, shadow, origin, correlation_id, reply_to;
  std::string_view content_type, content_encoding, compression, body_encoding, delivery_tag,
      exchange, routing_key;
  std::string_view dedup_key;
  // Raw JSON tokens, to be passed on as they are.
  std::string_view args_repr = "\"\"", kwargs_repr = "\"\"", body = {}, headers = "{}",
                   eta_token = "null", expires_token = "null";
  std::optional<std::int64_t> group_index;
  std::optional<wall_time> eta, expires;
  std::optional<double> hard_limit_s, soft_limit_s;
  int retries = 0;
  int priority = 0;
  int restored = 0;           // how many workers died while they ran it
  int returned = 0;           // how often a worker without its task put it back
  int dead_letter_after = 0;  // 0: as the task says
  bool ignore_result = false;
  bool redelivered = false;
  bool replaced = false;
  bool is_protocol_1 = false;

  [[nodiscard]] std::string_view root() const noexcept { return root_id.empty() ? id : root_id; }
  [[nodiscard]] std::string_view display_name() const noexcept {
    return shadow.empty() ? task : shadow;
  }

  std::deque<std::string> decoded;  // texts that were escaped in `raw`
  json_object body_1;               // protocol 1: the whole body
};

// What a task is called with, and what follows it.
struct message_body {
  boost::json::array args;
  boost::json::object kwargs;
  boost::json::value callbacks, errbacks, chain, chord;  // as sent; null: none
};

// Reads the envelope and its headers into `m`. The error says what is wrong; it is the reason of a
// dead letter.
result<void> parse_envelope(message& m);

// Decodes the body; call parse_envelope() first. The values share ownership of their memory.
result<message_body> parse_body(const message& m);

// Whether something depends on how the task ends: an errback, the rest of a chain, a chord. May be
// true when nothing does, because the body is not decoded.
bool has_dependants(const message& m);

// Changes to an envelope, for retries, redelivery and the like. Slow, but these are rare.
struct envelope_edit {
  std::optional<int> retries = {};
  std::optional<wall_time> eta = {};
  bool remove_eta = false;
  std::optional<std::string> parent_id = {};
  bool new_delivery_tag = false;
  bool mark_redelivered = false;
  std::optional<int> restored = {};
  std::optional<int> returned = {};
};
result<std::string> edit_envelope(std::string_view raw, const envelope_edit& edit);

inline constexpr std::string_view restored_header = "x-skirmish-restored";
inline constexpr std::string_view returned_header = "x-skirmish-returned";
inline constexpr std::string_view dead_letter_header = "x-skirmish-dead-letter-after";
inline constexpr std::string_view dedup_header = "x-skirmish-deduplication-key";

}  // namespace skirmish::tasks
