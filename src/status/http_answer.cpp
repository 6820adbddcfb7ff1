#include "status/http_answer.hpp"

#include <algorithm>
#include <string>

namespace skirmish::status {

result<std::optional<int>> parse_http_status(std::string_view received) {
  constexpr std::string_view start = "HTTP/1.";
  error bad{errc::unavailable, "http: the answer is not HTTP/1"};
  if (received.substr(0, start.size()) != start.substr(0, received.size())) return bad;
  const auto end = received.find('\n');
  if (end == std::string_view::npos) {
    if (received.size() >= http_answer_limit_bytes) return bad;
    return std::optional<int>();
  }
  // "HTTP/1.x NNN", then a space or the line's end.
  const auto line = received.substr(0, end);
  const auto digit = [&](std::size_t i) { return line[i] >= '0' && line[i] <= '9'; };
  if (line.size() < 12 || !digit(7) || line[8] != ' ' || !digit(9) || !digit(10) || !digit(11))
    return bad;
  if (line.size() > 12 && line[12] != ' ' && line[12] != '\r') return bad;
  const int status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
  if (status < 100 || status > 599) return bad;
  return std::optional(status);
}

}  // namespace skirmish::status
