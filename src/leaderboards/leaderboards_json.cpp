#include "leaderboards/leaderboards_json.hpp"

#include <boost/json/parse.hpp>

#include <cmath>

namespace skirmish::leaderboards {

namespace json = boost::json;

namespace {

json::value cursor_json(const std::string& text) {
  return text.empty() ? json::value() : json::value(text);
}

}  // namespace

json::value to_json(double n) {
  if (std::trunc(n) == n && std::abs(n) <= score_max) return static_cast<std::int64_t>(n);
  return n;
}

json::object to_json(const entry& e) {
  json::object out{{"rank", e.rank}, {"player_id", e.player_id}, {"score", to_json(e.score)}};
  if (e.subscore != 0) out["subscore"] = to_json(e.subscore);
  if (!e.metadata.empty()) {
    boost::system::error_code ec;
    auto metadata = json::parse(e.metadata, ec);
    if (!ec) out["metadata"] = std::move(metadata);
  }
  return out;
}

json::array to_json(const std::vector<entry>& entries) {
  json::array out;
  for (const auto& e : entries) out.push_back(to_json(e));
  return out;
}

json::object to_json(const board_page& page) {
  return {{"items", to_json(page.entries)},
          {"next_cursor", cursor_json(page.next)},
          {"previous_cursor", cursor_json(page.previous)},
          {"total", page.total},
          {"version", page.version}};
}

}  // namespace skirmish::leaderboards
