#include "feature_settings.hpp"

#include "achievements/achievements.hpp"
#include "core/ids.hpp"
#include "tasks/tasks.hpp"

#include <algorithm>
#include <iterator>
#include <sstream>

namespace skirmish {
namespace {

chat::channel_rules chat_rules_of(const config& c) {
  chat::channel_rules rules;
  rules.text_limit_chars = c.chat.text_limit_chars;
  rules.open.clear();
  std::istringstream names(c.chat.channels);
  for (std::string name; std::getline(names >> std::ws, name, ',');) {
    name.erase(name.find_last_not_of(' ') + 1);
    if (!is_valid_id(name) || name.find(':') != std::string::npos || name == "activity" ||
        name == "status")
      throw failure(errc::invalid_argument, "chat.channels: `" + name + "` cannot be a channel");
    rules.open.push_back(name);
  }
  return rules;
}

interactions::engine_settings engine_settings_of(const config& c, players::service& players,
                                                 levels::service& levels) {
  interactions::engine_settings s;
  s.committer.restore_players = [&players](std::vector<std::string> ids) {
    return players.restore_live(std::move(ids));
  };
  s.committer.restore_levels = [&levels](std::vector<std::string> ids) {
    return levels.restore_popularity(std::move(ids));
  };
  s.committer.commit.game = game_settings_of(c);
  s.committer.commit.actions_limit = c.interactions.actions_limit;
  s.committer.commit.log_limit = c.interactions.log_limit;
  s.committer.commit.event_ids_limit = c.interactions.event_ids_limit;
  s.committer.commit.slice_length = window_settings_of(c).slice;
  s.settle_within = c.interactions.settle_within;
  s.commit_limit = static_cast<std::size_t>(c.interactions.commit_limit);
  s.queue_limit = static_cast<std::size_t>(c.interactions.queue_limit);
  return s;
}

}  // namespace

game_settings game_settings_of(const config& c) {
  game_settings s;
  s.chat_history_limit = c.chat.history_limit;
  s.chat_history_ttl = std::chrono::duration_cast<std::chrono::seconds>(c.chat.history_ttl);
  auto rules = achievements::parse_rules(c.achievements.rules);
  if (!rules) throw failure(errc::invalid_argument, rules.error().message);
  s.achievement_rules = std::move(*rules);
  return s;
}

chat::settings chat_settings_of(const config& c) {
  chat::settings s;
  s.game = game_settings_of(c);
  s.rules = chat_rules_of(c);
  s.rate_per_s = c.chat.rate_per_s;
  s.burst = c.chat.burst;
  s.key_rate_per_s = c.chat.key_rate_per_s;
  s.key_burst = c.chat.key_burst;
  return s;
}

std::vector<std::string> send_queues_of(const config& c) {
  auto named = tasks::parse_queues(c.tasks.send_queues);
  for (const auto& [name, weight] : named)
    if (!tasks::is_queue_name(name))
      throw failure(errc::invalid_argument, "tasks.send_queues: `" + name + "` cannot be a queue");
  std::ranges::move(tasks::parse_queues(c.tasks.queues), std::back_inserter(named));
  std::vector<std::string> out{"celery", tasks::builtin::queue};
  for (auto& [name, weight] : named)
    if (tasks::is_queue_name(name) && std::ranges::find(out, name) == out.end())
      out.push_back(std::move(name));
  return out;
}

sessions::settings session_settings_of(const config& c) {
  return {c.sessions.idle_ttl, c.sessions.lifetime, c.sessions.per_player};
}

sessions::issuers issuers_of(const config& c) {
  if (c.sessions.issuers_file.empty()) return {};
  auto loaded = sessions::issuers::load(c.sessions.issuers_file);
  if (!loaded)
    throw failure(errc::invalid_argument, "sessions.issuers_file: " + loaded.error().message);
  return std::move(*loaded);
}

state::settings state_settings_of(const config& c) {
  const auto& s = c.state;
  return {{s.entries_limit, s.bytes_limit}, {s.player_entries_limit, s.player_bytes_limit}};
}

state::recovery_settings recovery_settings_of(const config& c) {
  return {c.state.snapshots, c.state.recovery_keys_limit, c.state.recovery_ttl};
}

activity::window_settings window_settings_of(const config& c) {
  using std::chrono::seconds;
  activity::window_settings s;
  s.slice = std::chrono::duration_cast<seconds>(c.activity.slice);
  s.length = std::chrono::duration_cast<seconds>(c.activity.window);
  return s;
}

interactions::feature_settings interactions_settings_of(const config& c, players::service& players,
                                                        levels::service& levels,
                                                        http::gate& limits) {
  return {engine_settings_of(c, players, levels),
          {static_cast<std::size_t>(c.interactions.batch_limit), chat_rules_of(c), &limits,
           limits.add_target("EVENT", "chat")},
          c.interactions.log_age};
}

}  // namespace skirmish
