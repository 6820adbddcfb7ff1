// Valve's A2S_INFO query without the socket: what to send, and what a datagram means.
//
// Source: https://developer.valvesoftware.com/wiki/Server_queries (2020-12 and later: the answer to
// the first request may be a challenge, which is sent back with the request).
#pragma once

#include "core/error.hpp"
#include "status/observation.hpp"

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace skirmish::status {

// One query. Feed it every datagram of the server until it is done; send request() at the start and
// on `send`, and after start_again() when nothing came for a while (UDP loses datagrams).
//
// Nothing that arrives ends a query but its answer: a server's port receives what others asked for,
// answers to earlier queries and noise. What is no answer is skipped, and complaint() tells of it.
class a2s_query {
 public:
  using step = query_step;

  [[nodiscard]] std::string request() const;
  // Forgets the challenge and the parts: either may have come from somebody else.
  void start_again();

  step receive(std::string_view datagram);

  // What was skipped last, and why; empty when nothing was.
  [[nodiscard]] const std::string& complaint() const noexcept { return complaint_; }
  // After `done`.
  [[nodiscard]] const server_info& info() const noexcept { return info_; }

 private:
  step receive_part(std::string_view part);
  step receive_message(std::string_view message);
  step skip(std::string why);

  std::string challenge_;
  int challenges_ = 0;
  std::string complaint_;
  server_info info_;

  // Split answers being put together, by their ids: another query's may come in between.
  std::map<std::string, std::vector<std::string>, std::less<>> parts_;
  std::size_t parts_bytes_ = 0;
};

// A message of type 'I' (Source) or 'm' (GoldSource), without the 0xFFFFFFFF in front.
result<server_info> parse_a2s_info(std::string_view message);

}  // namespace skirmish::status
