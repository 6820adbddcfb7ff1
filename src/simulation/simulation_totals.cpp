#include "simulation/simulation_totals.hpp"

#include "simulation/simulation.hpp"

#include <boost/json/array.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace skirmish::cli {
namespace {

awaitable<std::int64_t> score_on(http_client& http, std::string board, std::string player) {
  const auto found =
      co_await get_object(http, fmt::format("/api/leaderboards/{}/ranks?ids={}", board, player));
  const auto& items = found.at("items").as_array();
  co_return items.empty() ? 0 : items[0].at("score").to_number<std::int64_t>();
}

}  // namespace

awaitable<json::object> get_object(http_client& http, std::string target) {
  auto answer = co_await http.get(target);
  if (answer.status != 200 || !answer.body.is_object())
    throw failure(errc::unavailable,
                  fmt::format("GET {}: {} {}", target, answer.status, answer.text));
  co_return std::move(answer.body.as_object());
}

awaitable<world_totals> read_world(http_client& http, std::vector<std::string> players,
                                   std::string level_prefix) {
  world_totals out;
  for (const auto& p : players) {
    const auto base = "/api/players/" + p;
    const auto profile = co_await get_object(http, base);
    out.levels_gained += profile.at("level").to_number<std::int64_t>() - 1;
    const auto state = co_await get_object(http, base + "/state");
    out.damage += state.at("damage_dealt").to_number<std::int64_t>();
    const auto inventory = co_await get_object(http, base + "/inventory");
    for (const auto& item : inventory.at("items").as_object())
      out.items += item.value().to_number<std::int64_t>();
    const auto achievements = co_await get_object(http, base + "/achievements");
    out.achievements += static_cast<std::int64_t>(achievements.at("items").as_array().size());
    out.score += co_await score_on(http, "global", p);
    out.interactions += co_await score_on(http, "active", p);
  }
  const auto popular = co_await get_object(http, "/api/levels?sort=popular&limit=1000");
  for (const auto& l : popular.at("items").as_array())
    if (l.at("level_id").as_string().starts_with(level_prefix))
      out.completions += l.at("completions").to_number<std::int64_t>();
  co_return out;
}

bool all_agree(const std::vector<total>& totals) {
  return std::all_of(totals.begin(), totals.end(),
                     [](const total& t) { return t.done == t.read_back; });
}

std::string to_table(const std::vector<total>& totals) {
  auto out = fmt::format("{:<28}{:>12}{:>12}\n", "", "done", "read back");
  for (const auto& t : totals)
    out += fmt::format("{:<28}{:>12}{:>12}{}\n", t.what, t.done, t.read_back,
                       t.done == t.read_back ? "" : "  differs");
  return out;
}

}  // namespace skirmish::cli
