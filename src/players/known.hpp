// What needs a player's live state, when only Redis has forgotten the player.
#pragma once

#include "players/players.hpp"

#include <string>
#include <vector>

namespace skirmish::players {

// Runs `ask`, and once more when the player was missing only because Redis had been emptied.
template <class Ask>
auto known(service& players, std::string player_id, Ask ask) -> decltype(ask()) {
  auto answer = co_await ask();
  if (answer || answer.error().code != errc::not_found) co_return answer;
  std::vector<std::string> ids{player_id};
  const auto missing = co_await players.restore_live(std::move(ids));
  if (!missing.empty()) co_return answer;
  co_return co_await ask();
}

}  // namespace skirmish::players
