// The routes of players.
#pragma once

#include "http/router.hpp"
#include "players/players.hpp"
#include "players/search.hpp"

#include <boost/json/object.hpp>

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace skirmish::players {

// The text to store for a password.
using password_hash = std::function<awaitable<std::string>(std::string password)>;

// What other features do when a player is removed, before it is.
using player_hook = std::function<awaitable<void>(std::string player_id)>;

// The event that a line of live_state::last_actions tells of; nullopt when it is none.
using action_parser = std::optional<boost::json::object> (*)(std::string_view line);

void add_routes(http::router& routes, service& players, searcher& search, password_hash hash,
                action_parser parse, player_hook on_remove);

}  // namespace skirmish::players
