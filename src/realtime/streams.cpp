// `?stream=<id>`: a socket becomes the writer of a stream, until another one does.
#include "core/ids.hpp"
#include "core/log.hpp"
#include "core/message_of.hpp"
#include "core/parse.hpp"
#include "realtime/realtime.hpp"

namespace skirmish::realtime {

void connection::close_taken_over() {
  if (socket_)
    socket_->close(http::ws::close_code::taken_over, "another connection writes this stream now");
}

void connection::heard_of_claim(std::int64_t claim) {
  newest_claim_ = std::max(newest_claim_, claim);
  if (claim_ != 0 && newest_claim_ > claim_) close_taken_over();
}

void gateway::on_stream(const std::string& channel, stream_claimer claim) {
  claim_ = std::move(claim);
  auto forward = [this](std::string_view, std::string_view payload) { hear_claim(payload); };
  claims_ = subscriber_.subscribe(channel, redis::listener{std::move(forward)});
}

// `<claim> <stream_id>`
void gateway::hear_claim(std::string_view payload) {
  const auto space = payload.find(' ');
  const auto claim = parse_integer(payload.substr(0, space));
  if (!claim || space == std::string_view::npos) return;
  const auto [first, last] = writers_.equal_range(payload.substr(space + 1));
  for (auto at = first; at != last; ++at) at->second->heard_of_claim(*claim);
}

awaitable<void> gateway::open_stream(connection& c, http::websocket& socket) {
  std::optional<error> problem;
  try {
    auto made = co_await claim_(c.stream_id(), c.who());
    if (made) {
      c.push({{"stream", json::object{{"id", c.stream_id()}, {"committed", made->committed}}}});
      c.claim_ = made->claim;
      c.heard_of_claim(0);
    } else {
      problem = std::move(made.error());
    }
  } catch (...) {
    log::warn("stream_unavailable",
              {{"stream", c.stream_id()}, {"error", message_of(std::current_exception())}});
    socket.close(http::ws::close_code::reconnect, "the store is down; reconnect");
  }
  if (problem) socket.close(http::ws::close_code::not_yours, problem->message);
}

}  // namespace skirmish::realtime
