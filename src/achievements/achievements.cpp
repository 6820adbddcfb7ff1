#include "achievements/achievements.hpp"

#include "achievements/achievements_keys.hpp"
#include "core/ids.hpp"
#include "core/parse.hpp"
#include "players/players.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <sstream>
#include <tuple>

namespace skirmish::achievements {
namespace {

const redis::script unlock_script{
    "achievements/unlock",
// clang-format off: in this order
#include "redis/attempt.lua.inc"
#include "chat/deliver.lua.inc"
#include "achievements/unlock.lua.inc"
#include "achievements/unlock_one.lua.inc"
    // clang-format on
};

constexpr std::array<std::string_view, 5> counters{"damage", "kills", "completions", "level",
                                                   "chats"};

}  // namespace

result<std::string> parse_rules(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto comma = std::min(text.find(','), text.size());
    std::istringstream rule{std::string(text.substr(0, comma))};
    text.remove_prefix(std::min(comma + 1, text.size()));
    std::string name;
    std::string counter;
    std::string threshold;
    std::string rest;
    if (!(rule >> name)) continue;
    const bool whole = (rule >> counter >> threshold) && !(rule >> rest);
    const auto number = parse_integer(threshold);
    if (!whole || !is_valid_id(name) || !number || *number < 1 ||
        std::find(counters.begin(), counters.end(), counter) == counters.end())
      return error{
          errc::invalid_argument,
          fmt::format("achievements.rules: `{}` must be: achievement, one of damage, kills, "
                      "completions, level and chats, a threshold from 1 on",
                      name)};
    out += fmt::format("{} {} {};", counter, *number, name);
  }
  return out;
}

awaitable<std::vector<service::unlocked>> service::list(std::string player_id) {
  const auto reply =
      redis::checked(co_await redis_.command("HGETALL", achievements_key(keys_, player_id)));
  std::vector<unlocked> out;
  for (auto& [achievement, at] : reply.as_pairs())
    if (is_valid_id(achievement)) out.push_back({achievement, at});
  std::sort(out.begin(), out.end(), [](const unlocked& a, const unlocked& b) {
    return std::tie(a.at, a.achievement) < std::tie(b.at, b.achievement);
  });
  co_return out;
}

awaitable<result<bool>> service::unlock(std::string player_id, std::string achievement) {
  const auto live = players::state_key(keys_, player_id);
  const std::string_view keys[] = {live};
  const auto now = to_rfc3339(clock_.now());
  const auto limit = std::to_string(game_.chat_history_limit);
  const auto ttl = std::to_string(game_.chat_history_ttl.count());
  const auto profile_ttl = std::to_string(players::profile_ttl.count());
  const auto rules = game_.rules();
  const std::string_view args[] = {keys_.prefix(), now,         limit,       ttl,
                                   player_id,      achievement, profile_ttl, rules};
  const auto reply = redis::checked(co_await redis_.eval(unlock_script, keys, args));
  const auto verdict = reply.as_integer().value_or(-1);
  if (verdict < 0) co_return error{errc::not_found, "there is no such player"};
  co_return verdict == 1;
}

}  // namespace skirmish::achievements
