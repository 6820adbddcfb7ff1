#include "http/websocket_handshake.hpp"

#include <algorithm>

namespace skirmish::http {
namespace {

// Sixteen bytes in base64 are 22 characters and two signs of padding.
bool is_nonce(std::string_view key) {
  return key.size() == 24 && key.ends_with("==") &&
         std::all_of(key.begin(), key.end() - 2, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  c == '+' || c == '/';
         });
}

refusal bad(int status, std::string message) {
  return {status, {errc::invalid_argument, std::move(message)}};
}

}  // namespace

bool asks_for_websocket(const request& r) noexcept {
  return lists_token(r.headers, "upgrade", "websocket");
}

std::optional<refusal> check_handshake(const request& r) {
  if (r.method != verb::get) return bad(405, "open a WebSocket with GET");
  if (r.version_minor < 1) return bad(400, "open a WebSocket with HTTP/1.1");
  if (!lists_token(r.headers, "connection", "upgrade"))
    return bad(400, "open a WebSocket with Connection: Upgrade");
  if (count_fields(r.headers, "sec-websocket-version") != 1 ||
      r.header("sec-websocket-version") != "13")
    return bad(426, "open the WebSocket with version 13");
  if (count_fields(r.headers, "sec-websocket-key") != 1 || !is_nonce(r.header("sec-websocket-key")))
    return bad(400, "Sec-WebSocket-Key must be 16 bytes in base64");
  return std::nullopt;
}

}  // namespace skirmish::http
