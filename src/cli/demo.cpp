#include "cli/demo.hpp"

#include "cli/cli.hpp"

#include <fmt/format.h>

#include <cstdio>

namespace skirmish::cli {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t feed_lines = 12;
constexpr const char* home_and_clear = "\x1b[H\x1b[J";

}  // namespace

simulation_view demo_view::callbacks() {
  return {[this](const std::string& channel, const std::string& text) { line(channel, text); },
          [this](const std::vector<std::string>& lines) { report(lines); }};
}

void demo_view::line(const std::string& channel, const std::string& text) {
  const auto shown = channel.empty() ? text : fmt::format("[{}] {}", channel, text);
  if (!live_) {
    fmt::print("{}\n", shown);
    std::fflush(stdout);
    return;
  }
  feed_.push_back(shown);
  if (feed_.size() > feed_lines) feed_.pop_front();
  if (std::chrono::steady_clock::now() - drawn_ > 100ms) draw();
}

void demo_view::report(const std::vector<std::string>& lines) {
  report_ = lines;
  if (live_) {
    draw();
    return;
  }
  for (const auto& l : lines) fmt::print("{}\n", l);
  std::fflush(stdout);
}

void demo_view::draw() {
  drawn_ = std::chrono::steady_clock::now();
  std::string out = home_and_clear;
  for (const auto& l : report_) out += l + '\n';
  out += "Channels\n";
  for (const auto& l : feed_) out += "  " + l + '\n';
  fmt::print("{}", out);
  std::fflush(stdout);
}

bool run_simulation(const simulation_plan& plan, const std::string& url, const std::string& api_key,
                    bool live, const std::atomic<bool>& stop) {
  const auto server = parse_server_url(url);
  if (!server) throw usage_error{server.error().message};
  demo_view view(live);
  const auto callbacks = view.callbacks();
  const auto totals = run(
      [&](asio::io_context& io) { return simulate(io, plan, *server, api_key, callbacks, stop); });
  fmt::print("\n{}", to_table(totals));
  std::fflush(stdout);
  return all_agree(totals);
}

}  // namespace skirmish::cli
