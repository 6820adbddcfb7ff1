#include "simulation/demo.hpp"

#include "core/run.hpp"
#include "core/usage_error.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace skirmish::cli {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t feed_lines = 12;
constexpr const char* home_and_clear = "\x1b[H\x1b[J";

}  // namespace

simulation_view demo_view::callbacks() {
  return {[this](const std::string& channel, const std::string& text) { line(channel, text); },
          [this](const std::vector<screen_section>& sections) { report(sections); }};
}

void demo_view::line(const std::string& channel, const std::string& text) {
  const std::lock_guard lock(mutex_);
  const auto shown = channel.empty() ? text : fmt::format("[{}] {}", channel, text);
  if (!live_) {
    out_.write(shown + '\n');
    return;
  }
  if (channel.empty()) {
    notes_.push_back(shown);
  } else {
    feed_.push_back(shown);
    if (feed_.size() > feed_lines) feed_.pop_front();
  }
  if (std::chrono::steady_clock::now() - drawn_ > 100ms) draw();
}

void demo_view::report(const std::vector<screen_section>& sections) {
  const std::lock_guard lock(mutex_);
  report_ = sections;
  if (live_) {
    draw();
    return;
  }
  std::string text;
  for (const auto& section : sections) {
    text += section.title + '\n';
    for (const auto& l : section.lines) text += "  " + l + '\n';
  }
  out_.write(text);
}

void demo_view::draw() {
  drawn_ = std::chrono::steady_clock::now();
  screen_size size;
  winsize window{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_row > 0 && window.ws_col > 0)
    size = {window.ws_row, window.ws_col};
  auto sections = report_;
  sections.push_back({"Channels", {feed_.begin(), feed_.end()}, true});
  out_.write(home_and_clear + to_screen(notes_, sections, size));
}

bool run_simulation(const simulation_plan& plan, const std::string& url, const std::string& api_key,
                    demo_view& view, const std::atomic<bool>& stop) {
  const auto server = parse_server_url(url);
  if (!server) throw usage_error{server.error().message};
  const auto callbacks = view.callbacks();
  const auto totals = run(
      [&](asio::io_context& io) { return simulate(io, plan, *server, api_key, callbacks, stop); });
  view.print('\n' + to_table(totals));
  return all_agree(totals);
}

}  // namespace skirmish::cli
