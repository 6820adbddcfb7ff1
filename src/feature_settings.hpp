// What each feature takes from the configuration. All throw failure{invalid_argument} that names
// the setting when it is wrong.
#pragma once

#include "activity/window.hpp"
#include "chat/chat.hpp"
#include "config.hpp"
#include "game_servers/game_servers.hpp"
#include "interactions/interactions_feature.hpp"
#include "levels/levels.hpp"
#include "players/players.hpp"
#include "sessions/sessions_feature.hpp"
#include "state/state_feature.hpp"

#include <string>
#include <vector>

namespace skirmish {

game_settings game_settings_of(const config& c);
chat::channel_rules chat_rules_of(const config& c);
chat::settings chat_settings_of(const config& c);
game_servers::settings game_server_settings_of(const config& c);
// Queues that POST /api/tasks may send to: each once, as they are shown to callers.
std::vector<std::string> send_queues_of(const config& c);
sessions::settings session_settings_of(const config& c);
sessions::issuers issuers_of(const config& c);
state::settings state_settings_of(const config& c);
state::recovery_settings recovery_settings_of(const config& c);
activity::window_settings window_settings_of(const config& c);
// `players` and `levels` bring back what Redis has lost; `limits` count events of type chat.
interactions::feature_settings interactions_settings_of(const config& c, players::service& players,
                                                        levels::service& levels,
                                                        http::gate& limits);

}  // namespace skirmish
