#include "state/state_feature.hpp"

#include "core/ids.hpp"
#include "core/log.hpp"
#include "state/state_routes.hpp"

namespace skirmish::state {

void feature::add_to(http::router& routes) {
  add_routes(routes, entries_, players_);
  add_routes(routes, snapshots_);
}

awaitable<void> feature::forget_player(std::string player_id) {
  auto name_space = "player:" + player_id;
  if (!is_valid_id(name_space)) co_return;  // too long for a namespace: it never had one
  const auto cleared = co_await entries_.clear(std::move(name_space));
  // What somebody else stored there ends with its own life.
  if (!cleared) log::warn("state_not_cleared", {{"error", cleared.error().message}});
}

}  // namespace skirmish::state
