#include "simulation/demo_output.hpp"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstddef>
#include <optional>

namespace skirmish::cli {
namespace {

using namespace std::chrono_literals;

constexpr auto last_patience = 1s;  // after `stop`, with a reader who may still be there
constexpr int look_every_ms = 100;  // at `stop`

}  // namespace

// False when the text is to be left out.
bool demo_output::wait_for_room() {
  std::optional<std::chrono::steady_clock::time_point> stopped_at;
  while (true) {
    pollfd asked{fd_, POLLOUT, 0};
    const int found = ::poll(&asked, 1, then_ == when_full::wait ? look_every_ms : 0);
    if (found > 0) return (asked.revents & POLLOUT) != 0;
    if (found < 0 && errno != EINTR) return false;
    if (then_ == when_full::leave_out) return false;
    const auto now = std::chrono::steady_clock::now();
    if (stop_ && !stopped_at) stopped_at = now;
    if (stopped_at && now - *stopped_at >= last_patience) return false;
  }
}

void demo_output::write(std::string_view text) {
  while (!text.empty()) {
    if (!wait_for_room()) return;
    // So much fits in a pipe that says it has room (poll(2), pipe(7)).
    const auto part = std::min<std::size_t>(text.size(), PIPE_BUF);
    const auto written = ::write(fd_, text.data(), part);
    if (written < 0 && errno != EINTR && errno != EAGAIN) return;
    if (written > 0) text.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace skirmish::cli
