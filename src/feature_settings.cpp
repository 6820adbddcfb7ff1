#include "feature_settings.hpp"

#include "achievements/achievements.hpp"
#include "core/comma_list.hpp"
#include "core/ids.hpp"
#include "tasks/tasks.hpp"

#include <algorithm>
#include <iterator>
#include <sstream>

namespace skirmish {
namespace {

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
  s.committer.replicas_acked = static_cast<std::size_t>(c.redis.replicas_acked);
  s.committer.replica_lag_limit = c.redis.replica_lag_limit;
  s.settle_within = c.interactions.settle_within;
  s.commit_limit = static_cast<std::size_t>(c.interactions.commit_limit);
  s.queue_limit = static_cast<std::size_t>(c.interactions.queue_limit);
  return s;
}

}  // namespace

chat::channel_rules chat_rules_of(const config& c) {
  chat::channel_rules rules;
  rules.text_limit_chars = c.chat.text_limit_chars;
  rules.open.clear();
  for (const auto name : items_of(c.chat.channels)) {
    if (!is_valid_id(name) || name.find(':') != std::string_view::npos || name == "activity" ||
        name == "status")
      throw failure(errc::invalid_argument,
                    "chat.channels: `" + std::string(name) + "` cannot be a channel");
    rules.open.emplace_back(name);
  }
  return rules;
}

game_settings game_settings_of(const config& c) {
  game_settings s;
  s.chat_history_limit = c.chat.history_limit;
  s.chat_history_ttl = std::chrono::duration_cast<std::chrono::seconds>(c.chat.history_ttl);
  auto rules = achievements::parse_rules(c.achievements.rules);
  if (!rules) throw failure(errc::invalid_argument, rules.error().message);
  s.achievement_rules = std::move(*rules);
  if (!c.chat.announce) return s;
  const auto open = chat_rules_of(c).open;
  if (std::ranges::find(open, "general") == open.end())
    throw failure(errc::invalid_argument,
                  "chat.announce needs the channel general: name it in chat.channels");
  s.announce_channel = "general";
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

game_servers::settings game_server_settings_of(const config& c) {
  game_servers::settings s;
  const auto origin = ingest::parse_origin(c.ingest.origin);
  if (!origin) throw failure(errc::invalid_argument, "ingest.origin: " + origin.error().message);
  s.origin = *origin;
  s.body_limit_bytes = static_cast<std::size_t>(c.ingest.body_limit_bytes);
  s.udp_listen = c.ingest.udp_listen;
  auto servers = game_servers::configured_servers(c.ingest.udp_servers);
  if (!servers)
    throw failure(errc::invalid_argument, "ingest.udp_servers " + servers.error().message);
  s.udp_servers = std::move(*servers);
  if (!s.udp_listen.empty() && s.udp_servers.empty())
    throw failure(errc::invalid_argument,
                  "ingest.udp_listen needs ingest.udp_servers: nobody may send");
  s.udp_queue_limit_bytes = static_cast<std::size_t>(c.ingest.udp_queue_limit_bytes);
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
