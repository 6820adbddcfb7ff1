// Minecraft's Server List Ping (1.7 and later) without the socket: what to send, and what the bytes
// that come back mean.
//
// Source: https://minecraft.wiki/w/Java_Edition_protocol/Server_List_Ping
#pragma once

#include "core/error.hpp"
#include "status/observation.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace skirmish::status {

// A VarInt: 7 bits a byte, least significant first, at most 5 bytes.
void append_varint(std::string& out, std::int32_t value);

struct varint {
  std::int32_t value = 0;
  std::size_t bytes = 0;  // 0: more bytes are needed
};
result<varint> read_varint(std::string_view in);

// Handshake (next state: status) and status request, in one write.
std::string minecraft_request(std::string_view host, std::uint16_t port);

// Without the colours and styles, which are written as U+00A7 and one more character.
std::string without_styles(std::string_view text);

// Looks for one whole answer at the start of `received`. Nothing: more bytes are needed.
result<std::optional<server_info>> parse_minecraft_answer(std::string_view received);

// The JSON of a status response. Only what is no JSON object is an error: bad UTF-8, surrogates
// without their other half and components nested however deep are decoration.
result<server_info> parse_minecraft_status(std::string_view text);

}  // namespace skirmish::status
