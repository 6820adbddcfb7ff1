// WebSocket framing (RFC 6455 section 5), without a socket: bytes in, frames out, in place.
//
// Own code, because many small frames arrive in one read: this decodes all of them from one buffer,
// where Beast composes a read a message. Beast's parser still does the HTTP handshake. Measured in
// docs/decisions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace skirmish::http::ws {

enum class opcode : std::uint8_t {
  continuation = 0,
  text = 1,
  binary = 2,
  close = 8,
  ping = 9,
  pong = 10
};

// Close codes this program sends. 3000 to 3499 ask the client to reconnect, from 3500 on not to.
namespace close_code {
inline constexpr std::uint16_t normal = 1000;
inline constexpr std::uint16_t protocol_error = 1002;
inline constexpr std::uint16_t unsupported = 1003;
inline constexpr std::uint16_t bad_data = 1007;  // text that is not UTF-8
inline constexpr std::uint16_t too_big = 1009;
inline constexpr std::uint16_t reconnect = 3000;
inline constexpr std::uint16_t shutdown = 3001;
inline constexpr std::uint16_t too_slow = 3008;
inline constexpr std::uint16_t too_many_requests = 3013;
inline constexpr std::uint16_t bad_token = 3500;
inline constexpr std::uint16_t taken_over = 3501;
inline constexpr std::uint16_t not_yours = 3502;
inline constexpr std::uint16_t banned = 3503;
}  // namespace close_code

struct frame {
  opcode op{};
  bool final = true;
  std::string_view payload;  // inside the caller's buffer, unmasked
};

enum class decode_status { frame, need_more, protocol_error, too_big };

struct decoded {
  decode_status status = decode_status::need_more;
  std::size_t consumed = 0;  // bytes of the buffer that the frame took
  frame value = {};
};

// Takes the first frame of `buffer`, unmasking its payload in place. `masked` says what the peer
// must do: clients mask, servers do not; the other way is a protocol error. A payload over
// `limit_bytes` is too_big as soon as its header is in.
decoded decode(std::span<char> buffer, bool masked, std::size_t limit_bytes);

// Appends a final, unmasked frame (server to client).
void encode(std::string& out, opcode op, std::string_view payload);

// Appends a final frame masked with `key` (client to server).
void encode_masked(std::string& out, opcode op, std::string_view payload, std::uint32_t key);

// What is wrong with the payload of a peer's close frame: the code to answer with (RFC 6455,
// sections 5.5.1 and 7.4), or nothing when it is fine.
std::optional<std::uint16_t> check_close_payload(std::string_view payload) noexcept;

// The payload of a close frame; a reason that is too long is cut at a character.
std::string close_payload(std::uint16_t code, std::string_view reason);

// Sec-WebSocket-Accept for a Sec-WebSocket-Key (RFC 6455 section 4.2.2).
std::string accept_key(std::string_view key);

}  // namespace skirmish::http::ws
