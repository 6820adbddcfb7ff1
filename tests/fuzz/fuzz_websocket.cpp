// Any bytes as frames through a real WebSocket: whole or in pieces, the same messages come out, and
// what is sent back is well-formed.
#include "core/parse.hpp"
#include "fed_socket.hpp"
#include "http/websocket.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace {

using namespace skirmish;
using namespace skirmish::http;

void check_frames(std::string sent) {
  std::size_t start = 0;
  bool has_closed = false;
  while (start < sent.size()) {
    const auto d = ws::decode(std::span(sent).subspan(start), false, 1 << 20);
    require(d.status == ws::decode_status::frame && !has_closed);
    has_closed = d.value.op == ws::opcode::close;
    require(!has_closed || !ws::check_close_payload(d.value.payload));
    start += d.consumed;
  }
}

std::vector<std::string> messages_of(std::string_view bytes, std::size_t piece_bytes) {
  static asio::io_context io{1};
  static metrics::registry metrics;
  std::vector<std::string> out;
  fed_socket peer(io);
  auto subject = [&out](asio::ip::tcp::socket socket) -> awaitable<void> {
    websocket_limits limits;
    limits.message_bytes = 1024;
    const auto served = std::make_shared<websocket>(std::move(socket), std::string(), limits,
                                                    buffer_share(buffer_budget(metrics, 1 << 20)));
    auto keep = [&out](std::string_view text) -> awaitable<void> {
      require(is_valid_utf8(text) && text.size() <= 1024);
      out.emplace_back(text);
      co_return;
    };
    co_await served->run(keep);
  };
  check_frames(peer.feed(bytes, piece_bytes, subject));
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  require(messages_of(bytes, 1 + std::size_t{data[0]}) == messages_of(bytes, 16'384));
  return 0;
}
