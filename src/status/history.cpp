#include "status/history.hpp"

#include "core/json_text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace skirmish::status {
namespace {

std::string whole(const std::optional<std::int64_t>& n) {
  return n ? std::to_string(*n) : std::string("null");
}

// The larger of two numbers of which either may be unknown (nothing is less than anything).
std::optional<std::int64_t> larger(const std::optional<std::int64_t>& a,
                                   const std::optional<std::int64_t>& b) {
  return std::max(a, b);
}

}  // namespace

std::optional<double> uptime_percent(const std::vector<history_point>& points, timestamp until) {
  if (points.empty()) return std::nullopt;
  std::chrono::milliseconds online{0};
  std::chrono::milliseconds total{0};
  for (std::size_t i = 0; i < points.size(); ++i) {
    const auto next = i + 1 < points.size() ? points[i + 1].at : until;
    // Clocks of different machines wrote the points; none may count backwards.
    const auto held = std::max(next - points[i].at, std::chrono::milliseconds{0});
    total += held;
    if (points[i].is_online) online += held;
  }
  if (total.count() == 0) return points.back().is_online ? 100.0 : 0.0;
  return 100.0 * static_cast<double>(online.count()) / static_cast<double>(total.count());
}

std::vector<history_point> thin_out(const std::vector<history_point>& points, std::size_t limit) {
  if (points.size() <= limit) return points;
  std::vector<history_point> out;
  out.reserve(limit);
  for (std::size_t group = 0; group < limit; ++group) {
    const auto first = group * points.size() / limit;
    const auto last = (group + 1) * points.size() / limit;
    auto merged = points[first];
    for (auto i = first + 1; i < last; ++i) {
      merged.at = points[i].at;
      merged.is_online = merged.is_online && points[i].is_online;
      merged.players = larger(merged.players, points[i].players);
      merged.max_players = larger(merged.max_players, points[i].max_players);
    }
    out.push_back(merged);
  }
  return out;
}

std::string history_json(const std::vector<history_point>& points, std::int64_t hours,
                         timestamp until) {
  std::string list;
  std::optional<std::int64_t> peak;
  for (const auto& p : points) peak = larger(peak, p.players);
  for (const auto& p : thin_out(points, chart_points_max)) {
    if (!list.empty()) list += ',';
    list += fmt::format(R"({{"t":"{}","online":{},"players":{},"max_players":{}}})",
                        to_rfc3339(p.at), p.is_online, whole(p.players), whole(p.max_players));
  }
  const auto uptime = uptime_percent(points, until);
  return fmt::format(
      R"({{"hours":{},"points":[{}],"samples":{},"uptime_percent":{},"players_peak":{}}})", hours,
      list, points.size(), uptime ? rounded_json_number(*uptime, 2) : "null", whole(peak));
}

std::string badge_svg(std::optional<bool> is_online, std::optional<double> uptime) {
  const std::string word = !is_online ? "unknown" : *is_online ? "online" : "offline";
  const auto text = uptime ? fmt::format("{} {:.1f} %", word, *uptime) : word;
  const auto* color = !is_online ? "#777" : *is_online ? "#2a7d2e" : "#b3261e";
  // Verdana 11 px is about 7 px a character; textLength makes the guess exact.
  const auto right = static_cast<int>(text.size()) * 7 + 10;
  constexpr int left = 52;
  return fmt::format(
      R"(<svg xmlns="http://www.w3.org/2000/svg" width="{0}" height="20" role="img" aria-label="server: {1}">)"
      R"(<title>server: {1}</title><rect width="{2}" height="20" fill="#444"/>)"
      R"(<rect x="{2}" width="{3}" height="20" fill="{4}"/>)"
      R"(<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">)"
      R"(<text x="7" y="14" textLength="38">server</text>)"
      R"(<text x="{5}" y="14" textLength="{6}">{1}</text></g></svg>)",
      left + right, text, left, right, color, left + 5, right - 10);
}

}  // namespace skirmish::status
