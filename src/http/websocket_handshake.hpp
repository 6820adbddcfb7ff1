// The opening handshake of a WebSocket, as the server must judge it (RFC 6455, section 4.2.1).
#pragma once

#include "http/request_head.hpp"

#include <optional>

namespace skirmish::http {

// True when the request asks for a WebSocket at all.
bool asks_for_websocket(const request& r) noexcept;

// Why it cannot become one. 426 means another version: say Sec-WebSocket-Version: 13 with it.
std::optional<refusal> check_handshake(const request& r);

}  // namespace skirmish::http
