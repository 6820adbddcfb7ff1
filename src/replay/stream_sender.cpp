#include "replay/stream_sender.hpp"

#include "core/json_text.hpp"
#include "core/log.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace skirmish::cli {
namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

// Frames sent and not yet acknowledged.
constexpr std::size_t window_frames = 32;

}  // namespace

stream_sender::stream_sender(asio::io_context& io, const server_address& server,
                             const std::string& api_key, std::string stream_id,
                             sender_options options)
    : http_(io, server, api_key),
      socket_(io, server, api_key),
      timer_(io),
      stream_id_(std::move(stream_id)),
      options_(options) {}

awaitable<bool> stream_sender::wants(const ingest::frame& f) {
  if (!connected_) co_await connect();
  if (f.seq > committed_at_start_) co_return true;
  counted_.duplicate += encode(f).events;
  co_return false;
}

awaitable<void> stream_sender::send(const ingest::frame& f) {
  for (const auto& p : f.players) {
    json::object body{{"player_id", p.player_id}, {"name", p.name}};
    co_await create("/api/players", std::move(body));
  }
  for (const auto& l : f.levels) {
    json::object body{{"level_id", l.level_id}, {"name", l.name}};
    co_await create("/api/levels", std::move(body));
  }
  if (f.events.empty()) co_return;
  unacknowledged_.push_back(encode(f));
  if (connected_) socket_.send(unacknowledged_.back().text);
  while (unacknowledged_.size() >= window_frames) co_await attend();
}

awaitable<void> stream_sender::drain() {
  while (!unacknowledged_.empty()) co_await attend();
}

void stream_sender::give_up_after(steady::time_point limit, const std::string& problem) const {
  if (options_.stop && *options_.stop) throw failure(errc::unavailable, "interrupted");
  if (steady::now() > limit) throw failure(errc::unavailable, problem);
}

// Creates something; that it exists is as good. Asks again while the server is away.
awaitable<void> stream_sender::create(std::string target, json::value body) {
  const auto limit = steady::now() + options_.patience;
  while (true) {
    std::string problem;
    try {
      json::value copy = body;
      const auto answer = co_await http_.send("POST", target, std::move(copy));
      if (answer.status == 201 || answer.status == 409) co_return;
      if (answer.status == 403 && target == "/api/levels") {
        warn_once("levels_not_created", "the API key is not of role admin");
        co_return;
      }
      problem = fmt::format("POST {}: {} {}", target, answer.status, answer.text);
      if (answer.status < 500) throw failure(errc::invalid_argument, problem);
    } catch (const failure& e) {
      if (e.code() != errc::unavailable) throw;
      problem = e.what();
    }
    give_up_after(limit, problem);
    co_await rest();
  }
}

awaitable<void> stream_sender::connect() {
  const auto limit = steady::now() + options_.patience;
  while (true) {
    std::string problem;
    try {
      co_await socket_.connect("/api/ws?stream=" + stream_id_);
      const auto hello = co_await socket_.receive();
      if (socket_.close_code() >= 3500)
        throw failure(errc::unauthenticated, "the server refused the API key");
      if (hello) {
        const auto committed =
            json::parse(*hello).at("stream").at("committed").to_number<std::uint64_t>();
        resume(committed);
        co_return;
      }
      problem = "the server closed the socket";
    } catch (const failure& e) {
      if (e.code() != errc::unavailable) throw;
      problem = e.what();
    }
    give_up_after(limit, problem);
    co_await rest();
  }
}

// Frames up to `committed` are done; the others are sent (again).
void stream_sender::resume(std::uint64_t committed) {
  if (!connected_before_) committed_at_start_ = committed;
  connected_before_ = connected_ = true;
  acknowledge(committed);
  for (const auto& f : unacknowledged_) socket_.send(f.text);
}

// Handles the server's next message; connects again when there is no server.
awaitable<void> stream_sender::attend() {
  if (!connected_) {
    co_await connect();
    co_return;
  }
  bool lost = false;
  try {
    const auto message = co_await socket_.receive();
    lost = !message || !understand(*message);
  } catch (const failure& e) {
    if (e.code() != errc::unavailable) throw;
    lost = true;
  }
  if (!lost) co_return;
  connected_ = false;
  socket_.close();
  co_await rest();
}

// False when the frames must be sent again.
bool stream_sender::understand(std::string_view text) {
  const auto message = json::parse(text);
  const auto& o = message.as_object();
  if (const auto* ack = o.if_contains("ack")) {
    acknowledge(ack->to_number<std::uint64_t>());
  } else if (const auto* reject = o.if_contains("reject")) {
    ++counted_.rejected;
    ++rejected_in_flight_;
    warn_once("event_rejected", json_text_of(*reject));
  } else if (const auto* e = o.if_contains("error")) {
    const auto& code = e->at("code").as_string();
    if (!e->at("temporary").as_bool() && code != "conflict")
      throw failure(errc::invalid_argument, json_text_of(*e));
    return false;
  }
  return true;
}

void stream_sender::acknowledge(std::uint64_t seq) {
  while (!unacknowledged_.empty() && unacknowledged_.front().seq <= seq) {
    counted_.accepted += unacknowledged_.front().events;
    unacknowledged_.pop_front();
  }
  // Rejects of a frame come before its acknowledgement.
  counted_.accepted -= std::min(rejected_in_flight_, counted_.accepted);
  rejected_in_flight_ = 0;
}

awaitable<void> stream_sender::rest() {
  timer_.expires_after(200ms);
  error_code ignored;
  co_await timer_.async_wait(asio::redirect_error(use_awaitable, ignored));
}

void stream_sender::warn_once(const char* what, std::string_view why) {
  if (std::exchange(warned_, true)) return;
  log::warn(what, {{"why", why}});
}

}  // namespace skirmish::cli
