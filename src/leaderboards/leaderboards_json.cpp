#include "leaderboards/leaderboards_json.hpp"

#include <boost/json/parse.hpp>

#include <cmath>

namespace skirmish::leaderboards {

namespace json = boost::json;

json::value to_json(double n) {
  if (std::trunc(n) == n && std::abs(n) <= score_max) return static_cast<std::int64_t>(n);
  return n;
}

json::object to_json(const entry& e) {
  json::object out{{"rank", e.rank}, {"player_id", e.player_id}, {"score", to_json(e.score)}};
  if (e.subscore != 0) out["subscore"] = to_json(e.subscore);
  if (!e.metadata.empty()) out["metadata"] = json::parse(e.metadata);
  return out;
}

}  // namespace skirmish::leaderboards
