#include "redis/server_output.hpp"

#include "core/log.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>

namespace skirmish::redis {
namespace {

constexpr std::size_t line_limit_bytes = 4'096;
constexpr std::size_t last_lines_limit = 4;

// A line is "pid:role day month year time level text"; what does not look so (a fatal error before
// the log is set up) is text as a whole.
struct log_line {
  bool is_warning = true;
  std::string_view text;
};

log_line parse(std::string_view line) {
  std::size_t at = 0;
  for (int word = 0; word < 5; ++word) {
    at = line.find(' ', at);
    if (at == std::string_view::npos) return {true, line};
    ++at;
  }
  const auto rest = line.substr(at);
  if (rest.size() < 3 || rest[1] != ' ' ||
      std::string_view(".-*#").find(rest[0]) == std::string_view::npos)
    return {true, line};
  return {rest[0] == '#', rest.substr(2)};
}

}  // namespace

awaitable<void> server_output::relay() {
  std::array<char, line_limit_bytes> buffer;
  while (true) {
    const auto [problem, size] =
        co_await pipe_.async_read_some(asio::buffer(buffer), asio::as_tuple(use_awaitable));
    take({buffer.data(), size});
    if (problem) co_return;
  }
}

void server_output::take(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    unfinished_.append(bytes.substr(0, end));
    if (end == std::string_view::npos && unfinished_.size() < line_limit_bytes) return;
    take_line(unfinished_);
    unfinished_.clear();
    if (end == std::string_view::npos) return;
    bytes.remove_prefix(end + 1);
  }
}

void server_output::take_line(std::string_view line) {
  const auto parsed = parse(line);
  if (parsed.text.empty()) return;
  const auto level = parsed.is_warning && show_warnings_ ? log::level::warn : log::level::debug;
  log::write(level, "redis_log", {{"text", parsed.text}});
  last_.emplace_back(parsed.text);
  if (last_.size() > last_lines_limit) last_.pop_front();
}

std::string server_output::last_words() const { return fmt::format("{}", fmt::join(last_, " | ")); }

}  // namespace skirmish::redis
