// Valve's A2S_INFO query without the socket: what to send, and what a datagram means.
//
// Source: https://developer.valvesoftware.com/wiki/Server_queries (2020-12 and later: the answer to
// the first request may be a challenge, which is sent back with the request).
#pragma once

#include "core/error.hpp"
#include "status/observation.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace skirmish::status {

// One query. Feed it every datagram of the server until it is done; send request() at the start, on
// `send`, and again when nothing came for a while (UDP loses datagrams).
class a2s_query {
 public:
  enum class step { wait, send, done };

  [[nodiscard]] std::string request() const;

  // An error ends the query: the answer is not one, or too much of it.
  result<step> receive(std::string_view datagram);

  // After `done`.
  [[nodiscard]] const server_info& info() const noexcept { return info_; }

 private:
  result<step> receive_part(std::string_view part);
  result<step> receive_message(std::string_view message);

  std::string challenge_;
  int challenges_ = 0;
  server_info info_;

  // A split answer being put together.
  std::uint32_t split_id_ = 0;
  std::size_t split_total_ = 0;
  std::size_t split_bytes_ = 0;
  std::map<std::size_t, std::string> parts_;
};

// A message of type 'I' (Source) or 'm' (GoldSource), without the 0xFFFFFFFF in front.
result<server_info> parse_a2s_info(std::string_view message);

}  // namespace skirmish::status
