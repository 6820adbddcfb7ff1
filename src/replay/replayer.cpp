#include "replay/replayer.hpp"

#include "cli/cli.hpp"
#include "core/clock.hpp"
#include "core/log.hpp"
#include "replay/frame_text.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <cstdio>
#include <deque>
#include <filesystem>
#include <fstream>

namespace skirmish::cli {
namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

constexpr std::size_t chunk_bytes = 256 * 1024;
// Frames sent and not yet acknowledged.
constexpr std::size_t window_frames = 32;

// One replay under way.
class replayer {
 public:
  replayer(asio::io_context& io, replay_plan plan, server_address server, std::string api_key)
      : plan_(std::move(plan)),
        http_(io, server, api_key),
        socket_(io, server, api_key),
        timer_(io),
        parser_(ingest::make_parser(plan_.format, plan_.origin)),
        frames_(limits_) {}

  awaitable<replay_summary> run() {
    stream_id_ = hash_file();
    started_ = steady::now();
    std::ifstream in(plan_.file, std::ios::binary);
    std::string chunk(chunk_bytes, '\0');
    std::vector<ingest::log_event> events;
    std::vector<ingest::frame> ready;
    while (in) {
      in.read(chunk.data(), static_cast<std::streamsize>(chunk.size()));
      const auto got = static_cast<std::size_t>(in.gcount());
      for (std::size_t at = 0; at < got;) {
        at += parser_->feed(std::string_view(chunk.data() + at, got - at), events);
        frames_.add(events, ready);
        co_await send_all(ready);
      }
      read_bytes_ += got;
    }
    parser_->finish(events);
    frames_.add(events, ready);
    frames_.finish(ready);
    co_await send_all(ready);
    while (!unacknowledged_.empty()) co_await attend();
    socket_.close();
    if (plan_.show_progress) fmt::print(stderr, "\n");
    summary_.file = parser_->counted();
    summary_.seconds = std::chrono::duration<double>(steady::now() - started_).count();
    co_return summary_;
  }

 private:
  std::string hash_file() {
    std::ifstream in(plan_.file, std::ios::binary);
    if (!in) throw failure(errc::not_found, "cannot read " + plan_.file);
    ingest::stream_id id(plan_.format, plan_.origin, limits_);
    std::string chunk(chunk_bytes, '\0');
    while (in) {
      in.read(chunk.data(), static_cast<std::streamsize>(chunk.size()));
      id.update(std::string_view(chunk.data(), static_cast<std::size_t>(in.gcount())));
      file_bytes_ += static_cast<std::uint64_t>(in.gcount());
    }
    return id.finish();
  }

  awaitable<void> send_all(std::vector<ingest::frame>& ready) {
    for (auto& f : ready) co_await send(f);
    ready.clear();
  }

  awaitable<void> send(ingest::frame& f) {
    if (!connected_) co_await connect();
    if (f.seq <= committed_at_start_) {
      summary_.duplicate += encode(f).events;
      co_return;
    }
    co_await pace(f.at);
    co_await ensure(f);
    if (f.events.empty()) co_return;
    unacknowledged_.push_back(encode(f));
    if (connected_) socket_.send(unacknowledged_.back().text);
    while (unacknowledged_.size() >= window_frames) co_await attend();
    if (plan_.speed) co_await attend_briefly();
    show_progress();
  }

  awaitable<void> pace(std::chrono::milliseconds at) {
    if (!plan_.speed) co_return;
    const auto due =
        std::chrono::duration<double, std::milli>(static_cast<double>(at.count()) / *plan_.speed);
    timer_.expires_at(started_ + std::chrono::duration_cast<steady::duration>(due));
    error_code ignored;
    co_await timer_.async_wait(asio::redirect_error(use_awaitable, ignored));
  }

  // At a pace, each frame is confirmed before the next is due.
  awaitable<void> attend_briefly() {
    while (!unacknowledged_.empty()) co_await attend();
  }

  // Makes the frame's players and levels exist.
  awaitable<void> ensure(const ingest::frame& f) {
    for (const auto& p : f.players) {
      json::object body{{"player_id", p.player_id}, {"name", p.name}};
      co_await create("/api/players", std::move(body));
    }
    for (const auto& l : f.levels) {
      json::object body{{"level_id", l.level_id}, {"name", l.name}};
      co_await create("/api/levels", std::move(body));
    }
  }

  // Creates something; that it exists is as good. Asks again while the server is away.
  awaitable<void> create(std::string target, json::object body) {
    const auto limit = steady::now() + plan_.patience;
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
      if (steady::now() > limit) throw failure(errc::unavailable, problem);
      co_await rest();
    }
  }

  awaitable<void> connect() {
    const auto limit = steady::now() + plan_.patience;
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
      if (steady::now() > limit) throw failure(errc::unavailable, problem);
      co_await rest();
    }
  }

  // Frames up to `committed` are done; the others are sent (again).
  void resume(std::uint64_t committed) {
    if (!connected_before_) committed_at_start_ = committed;
    connected_before_ = connected_ = true;
    acknowledge(committed);
    for (const auto& f : unacknowledged_) socket_.send(f.text);
  }

  // Handles the server's next message; connects again when there is no server.
  awaitable<void> attend() {
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
  bool understand(std::string_view text) {
    const auto message = json::parse(text);
    const auto& o = message.as_object();
    if (const auto* ack = o.if_contains("ack")) {
      acknowledge(ack->to_number<std::uint64_t>());
    } else if (const auto* reject = o.if_contains("reject")) {
      ++summary_.rejected;
      ++rejected_in_flight_;
      warn_once("event_rejected", json::serialize(*reject));
    } else if (const auto* e = o.if_contains("error")) {
      const auto& code = e->at("code").as_string();
      if (!e->at("temporary").as_bool() && code != "conflict")
        throw failure(errc::invalid_argument, json::serialize(*e));
      return false;
    }
    return true;
  }

  void acknowledge(std::uint64_t seq) {
    while (!unacknowledged_.empty() && unacknowledged_.front().seq <= seq) {
      summary_.accepted += unacknowledged_.front().events;
      unacknowledged_.pop_front();
    }
    // Rejects of a frame come before its acknowledgement.
    summary_.accepted -= std::min(rejected_in_flight_, summary_.accepted);
    rejected_in_flight_ = 0;
  }

  awaitable<void> rest() {
    timer_.expires_after(200ms);
    error_code ignored;
    co_await timer_.async_wait(asio::redirect_error(use_awaitable, ignored));
  }

  void warn_once(const char* what, std::string_view why) {
    if (std::exchange(warned_, true)) return;
    log::warn(what, {{"why", why}});
  }

  void show_progress() {
    if (!plan_.show_progress || steady::now() - shown_ < 100ms) return;
    shown_ = steady::now();
    const auto part = file_bytes_ == 0
                          ? 1.0
                          : static_cast<double>(read_bytes_) / static_cast<double>(file_bytes_);
    fmt::print(stderr, "\r[{:<40}] {:3.0f} %  {} events",
               std::string(static_cast<std::size_t>(part * 40), '#'), part * 100,
               summary_.accepted + summary_.duplicate);
    std::fflush(stderr);
  }

  replay_plan plan_;
  http_client http_;
  websocket_client socket_;
  asio::steady_timer timer_;
  ingest::frame_limits limits_;
  std::unique_ptr<ingest::log_parser> parser_;
  ingest::frame_builder frames_;
  std::string stream_id_;
  std::deque<encoded_frame> unacknowledged_;
  std::uint64_t committed_at_start_ = 0;
  bool connected_ = false;
  bool connected_before_ = false;
  std::uint64_t rejected_in_flight_ = 0;
  std::uint64_t file_bytes_ = 0;
  std::uint64_t read_bytes_ = 0;
  bool warned_ = false;
  steady::time_point started_;
  steady::time_point shown_;
  replay_summary summary_;
};

}  // namespace

awaitable<replay_summary> replay(asio::io_context& io, replay_plan plan, server_address server,
                                 std::string api_key) {
  replayer r(io, std::move(plan), std::move(server), std::move(api_key));
  co_return co_await r.run();
}

replay_plan plan_for(const std::string& file, const std::string& format) {
  replay_plan plan;
  plan.file = file;
  std::ifstream in(file, std::ios::binary);
  std::string head(ingest::detect_bytes, '\0');
  in.read(head.data(), static_cast<std::streamsize>(head.size()));
  if (!in.eof() && in.fail()) throw usage_error{"cannot read " + file};
  head.resize(static_cast<std::size_t>(in.gcount()));
  if (format == "auto") {
    const auto found = ingest::detect(head);
    if (!found) throw usage_error{file + ": " + found.error().message};
    plan.format = *found;
  } else if (const auto named = ingest::parse_format(format)) {
    plan.format = *named;
  } else {
    throw usage_error{"--format is auto, source, quake3 or xonotic"};
  }
  return plan;
}

replay_summary replay_into(const replay_plan& plan, const std::string& url,
                           const std::string& api_key) {
  const auto server = parse_server_url(url);
  if (!server) throw usage_error{server.error().message};
  return run([&](asio::io_context& io) { return replay(io, plan, *server, api_key); });
}

std::string to_json(const replay_summary& s) {
  return json::serialize(json::object{{"lines", s.file.lines},
                                      {"events", s.file.events},
                                      {"unknown_lines", s.file.unknown_lines},
                                      {"lines_in_part", s.file.lines_in_part},
                                      {"attacks", s.file.attacks},
                                      {"damage", s.file.damage},
                                      {"kills", s.file.kills},
                                      {"moves", s.file.moves},
                                      {"items", s.file.items},
                                      {"chat", s.file.chat},
                                      {"levels", s.file.levels},
                                      {"players", s.file.players},
                                      {"accepted", s.accepted},
                                      {"duplicate", s.duplicate},
                                      {"rejected", s.rejected},
                                      {"seconds", s.seconds}});
}

std::string to_table(const replay_summary& s) {
  std::string out = "The file holds\n";
  const auto row = [&](const char* name, auto value) {
    out += fmt::format("  {:<14}{:>12}\n", name, value);
  };
  row("lines", s.file.lines);
  row("unknown lines", s.file.unknown_lines);
  row("read in part", s.file.lines_in_part);
  row("players", s.file.players);
  row("levels", s.file.levels);
  row("events", s.file.events);
  row("attacks", s.file.attacks);
  row("damage", s.file.damage);
  row("kills", s.file.kills);
  row("moves", s.file.moves);
  row("items", s.file.items);
  row("chat", s.file.chat);
  out += "The server\n";
  row("accepted", s.accepted);
  row("had already", s.duplicate);
  row("rejected", s.rejected);
  out += fmt::format("  {:<14}{:>12.2f} s", "took", s.seconds);
  return out;
}

}  // namespace skirmish::cli
