#include "replay/replayer.hpp"

#include "core/clock.hpp"
#include "core/json_text.hpp"
#include "core/run.hpp"
#include "core/usage_error.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>

#include <cstdio>
#include <fstream>

namespace skirmish::cli {
namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

constexpr std::size_t chunk_bytes = 256 * 1024;

// One replay under way.
class replayer {
 public:
  replayer(asio::io_context& io, replay_plan plan, const server_address& server,
           const std::string& api_key)
      : plan_(std::move(plan)),
        timer_(io),
        parser_(ingest::make_parser(plan_.format, {plan_.origin, plan_.server})),
        frames_(limits_),
        sender_(io, server, api_key, hash_file(), {.patience = plan_.patience}) {}

  awaitable<replay_summary> run() {
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
    co_await sender_.drain();
    sender_.close();
    if (plan_.show_progress) fmt::print(stderr, "\n");
    replay_summary summary{.file = parser_->counted(), .sent = sender_.counted()};
    summary.seconds = std::chrono::duration<double>(steady::now() - started_).count();
    co_return summary;
  }

 private:
  std::string hash_file() {
    std::ifstream in(plan_.file, std::ios::binary);
    if (!in) throw failure(errc::not_found, "cannot read " + plan_.file);
    ingest::stream_id id(plan_.format, {plan_.origin, plan_.server}, limits_);
    std::string chunk(chunk_bytes, '\0');
    while (in) {
      in.read(chunk.data(), static_cast<std::streamsize>(chunk.size()));
      id.update(std::string_view(chunk.data(), static_cast<std::size_t>(in.gcount())));
      file_bytes_ += static_cast<std::uint64_t>(in.gcount());
    }
    return id.finish();
  }

  awaitable<void> send_all(std::vector<ingest::frame>& ready) {
    for (const auto& f : ready) {
      const bool is_wanted = co_await sender_.wants(f);
      if (!is_wanted) continue;
      co_await pace(f.at);
      co_await sender_.send(f);
      // At a pace, each frame is confirmed before the next is due.
      if (plan_.speed) co_await sender_.drain();
      show_progress();
    }
    ready.clear();
  }

  awaitable<void> pace(std::chrono::milliseconds at) {
    if (!plan_.speed) co_return;
    const auto due =
        std::chrono::duration<double, std::milli>(static_cast<double>(at.count()) / *plan_.speed);
    timer_.expires_at(started_ + std::chrono::duration_cast<steady::duration>(due));
    error_code ignored;
    co_await timer_.async_wait(asio::redirect_error(use_awaitable, ignored));
  }

  void show_progress() {
    if (!plan_.show_progress || steady::now() - shown_ < 100ms) return;
    shown_ = steady::now();
    const auto part = file_bytes_ == 0
                          ? 1.0
                          : static_cast<double>(read_bytes_) / static_cast<double>(file_bytes_);
    fmt::print(stderr, "\r[{:<40}] {:3.0f} %  {} events",
               std::string(static_cast<std::size_t>(part * 40), '#'), part * 100,
               sender_.counted().accepted + sender_.counted().duplicate);
    std::fflush(stderr);
  }

  replay_plan plan_;
  asio::steady_timer timer_;
  ingest::frame_limits limits_;
  std::uint64_t file_bytes_ = 0;
  std::uint64_t read_bytes_ = 0;
  std::unique_ptr<ingest::log_parser> parser_;
  ingest::frame_builder frames_;
  stream_sender sender_;
  steady::time_point started_;
  steady::time_point shown_;
};

}  // namespace

awaitable<replay_summary> replay(asio::io_context& io, replay_plan plan, server_address server,
                                 std::string api_key) {
  replayer r(io, std::move(plan), server, api_key);
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
  return json_text_of(json::object{{"lines", s.file.lines},
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
                                   {"accepted", s.sent.accepted},
                                   {"duplicate", s.sent.duplicate},
                                   {"rejected", s.sent.rejected},
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
  row("accepted", s.sent.accepted);
  row("had already", s.sent.duplicate);
  row("rejected", s.sent.rejected);
  out += fmt::format("  {:<14}{:>12.2f} s", "took", s.seconds);
  return out;
}

}  // namespace skirmish::cli
