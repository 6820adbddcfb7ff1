// The unconnected ping of Minecraft's Bedrock Edition (RakNet over UDP) without the socket: what to
// send, and what a datagram means.
//
// Source: https://minecraft.wiki/w/RakNet (Unconnected Ping and Pong)
#pragma once

#include "core/error.hpp"
#include "status/observation.hpp"

#include <string>
#include <string_view>

namespace skirmish::status {

// One query, as a2s_query: whatever is no answer is skipped.
class bedrock_query {
 public:
  [[nodiscard]] std::string request() const;
  void start_again() {}  // nothing of an earlier request matters

  query_step receive(std::string_view datagram);

  [[nodiscard]] const std::string& complaint() const noexcept { return complaint_; }
  // After `done`.
  [[nodiscard]] const server_info& info() const noexcept { return info_; }

 private:
  std::string complaint_;
  server_info info_;
};

// An unconnected pong. An error: the datagram is none.
result<server_info> parse_bedrock_pong(std::string_view datagram);

}  // namespace skirmish::status
