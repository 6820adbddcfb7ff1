// No two things share a key in Redis, whatever their ids: every function that builds one, over ids
// that were made to collide.
#include "achievements/achievements_keys.hpp"
#include "activity/activity_keys.hpp"
#include "audit/audit_keys.hpp"
#include "cache/cache_keys.hpp"
#include "chat/chat_keys.hpp"
#include "game_servers/game_servers_keys.hpp"
#include "interactions/interactions_keys.hpp"
#include "inventory/inventory_keys.hpp"
#include "leaderboards/leaderboards_keys.hpp"
#include "levels/levels_keys.hpp"
#include "notifications/notifications_keys.hpp"
#include "players/players_keys.hpp"
#include "positions/positions_keys.hpp"
#include "ratelimit/ratelimit_keys.hpp"
#include "request_limits/request_limits_keys.hpp"
#include "state/state_keys.hpp"
#include "status/status_keys.hpp"
#include "tasks/tasks_keys.hpp"

#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace skirmish {
namespace {

using redis::key_space;
using ids = std::vector<std::string>;

struct builder {
  std::string name;
  std::size_t count;  // of ids
  std::function<std::string(const key_space&, const ids&)> make;
};

tasks::key_names task_keys(const key_space& keys) {
  return {.prefix = keys.prefix(), .result_prefix = keys.prefix(), .database = 0};
}

// Keys with ids that come from outside.
std::vector<builder> builders_with_ids() {
  std::vector<builder> out{
      {"player", 1, [](auto& k, auto& i) { return players::state_key(k, i[0]); }},
      {"actions", 1, [](auto& k, auto& i) { return players::actions_key(k, i[0]); }},
      {"move", 1, [](auto& k, auto& i) { return players::move_key(k, i[0]); }},
      {"user", 1, [](auto& k, auto& i) { return k.key(players::profile_name(i[0])); }},
      {"load user", 1,
       [](auto& k, auto& i) { return cache_keys::load(k, players::profile_name(i[0])); }},
      {"level", 1, [](auto& k, auto& i) { return k.key(levels::level_name(i[0])); }},
      {"load level", 1,
       [](auto& k, auto& i) { return cache_keys::load(k, levels::level_name(i[0])); }},
      {"achievements", 1, [](auto& k, auto& i) { return achievements::achievements_key(k, i[0]); }},
      {"inventory", 1, [](auto& k, auto& i) { return inventory::inventory_key(k, i[0]); }},
      {"notifications", 1, [](auto& k, auto& i) { return notifications::unread_key(k, i[0]); }},
      {"notified", 1, [](auto& k, auto& i) { return notifications::notified_key(k, i[0]); }},
      {"chat", 1, [](auto& k, auto& i) { return chat::history_key(k, i[0]); }},
      {"mutes", 1, [](auto& k, auto& i) { return chat::mutes_key(k, i[0]); }},
      {"bans", 1, [](auto& k, auto& i) { return chat::bans_key(k, i[0]); }},
      {"chat rate", 1, [](auto& k, auto& i) { return k.key("ratelimit:chat", i[0]); }},
      {"chat rate of a key", 1, [](auto& k, auto& i) { return k.key("ratelimit:chatkey", i[0]); }},
      {"rate limit", 1, [](auto& k, auto& i) { return ratelimit::bucket_keys(k, i[0])[0]; }},
      {"rate limit's other", 1,
       [](auto& k, auto& i) { return ratelimit::bucket_keys(k, i[0])[1]; }},
      {"presence", 1, [](auto& k, auto& i) { return chat::presence_key(k, i[0]); }},
      {"presence of", 2, [](auto& k, auto& i) { return chat::presence_key(k, i[0], i[1]); }},
      {"attack", 2, [](auto& k, auto& i) { return interactions::attack_key(k, i[0], i[1]); }},
      {"state entry", 2, [](auto& k, auto& i) { return state::entry_key(k, i[0], i[1]); }},
      {"state entries", 1, [](auto& k, auto& i) { return state::entries_key(k, i[0]); }},
      {"state names", 1, [](auto& k, auto& i) { return state::names_key(k, i[0]); }},
      {"state ends", 1, [](auto& k, auto& i) { return state::ends_key(k, i[0]); }},
      {"recovery", 2, [](auto& k, auto& i) { return state::recovery_key(k, i[0], i[1]); }},
      {"recovery keys", 1, [](auto& k, auto& i) { return state::recovery_keys_key(k, i[0]); }},
      {"stream", 1, [](auto& k, auto& i) { return interactions::stream_key(k, i[0]); }},
      {"game server's log", 1, [](auto& k, auto& i) { return game_servers::log_key(k, i[0]); }},
      {"commit", 1, [](auto& k, auto& i) { return interactions::commit_key(k, i[0]); }},
      {"commit players", 1,
       [](auto& k, auto& i) { return interactions::commit_key(k, i[0]) + "@players"; }},
      {"completion", 1, [](auto& k, auto& i) { return k.key("completion", i[0]); }},
      {"done", 2, [](auto& k, auto& i) { return leaderboards::done_key(k, i[0], i[1]); }},
      {"done of a key", 2,
       [](auto& k, auto& i) { return leaderboards::done_key(k, i[0], "1a2b@" + i[1]); }},
      {"done body", 2,
       [](auto& k, auto& i) { return leaderboards::done_key(k, i[0], "1a2b@" + i[1]) + "@body"; }},
      {"seasons", 1,
       [](auto& k, auto& i) { return leaderboards::board_key(k, i[0]) + "@seasons"; }},
  };
  for (const std::int64_t season : {0, 1, 12})
    for (std::size_t part = 0; part < leaderboards::board_key_suffixes.size(); ++part)
      out.push_back({fmt::format("board {} {}", season, part), 1, [=](auto& k, auto& i) {
                       return leaderboards::board_keys(k, i[0], season)[part];
                     }});
  return out;
}

// Celery's and our names for ids that are not checked: whatever they are, they stand last.
std::vector<builder> builders_of_tasks() {
  std::vector<builder> out{
      {"result", 1, [](auto& k, auto& i) { return task_keys(k).result(i[0]); }},
      {"binding", 1, [](auto& k, auto& i) { return task_keys(k).binding(i[0]); }},
  };
  for (const auto* name : {"worker:", "running:", "rate:", "once:", "history:task:",
                           "history:state:", "history:name:", "history:worker:"})
    out.push_back({name, 1, [=](auto& k, auto& i) { return task_keys(k).own(name, i[0]); }});
  for (const int step : tasks::priority_steps)
    out.push_back({fmt::format("queue {}", step), 1, [=](auto& k, auto& i) {
                     // Others are refused where they come from.
                     return tasks::is_queue_name(i[0]) ? task_keys(k).queue(i[0], step) : "";
                   }});
  return out;
}

// Keys without ids, or with numbers of ours.
std::vector<builder> builders_without_ids() {
  std::vector<builder> out{
      {"levelled", 0, [](auto& k, auto&) { return players::levelled_key(k); }},
      {"version", 0, [](auto& k, auto&) { return players::key_version_key(k); }},
      {"audit", 0, [](auto& k, auto&) { return audit::pending_key(k); }},
      {"lease audit", 0, [](auto& k, auto&) { return audit::lease_key(k); }},
      {"popular", 0, [](auto& k, auto&) { return levels::popular_key(k); }},
      {"lease popular", 0, [](auto& k, auto&) { return levels::popular_lease_key(k); }},
      {"slice", 0, [](auto& k, auto&) { return activity::slice_key(k, "1700000000"); }},
      {"sealing", 0, [](auto& k, auto&) { return activity::sealing_key(k, "1700000000"); }},
      {"open", 0, [](auto& k, auto&) { return activity::open_key(k); }},
      {"sealed", 0, [](auto& k, auto&) { return activity::sealed_key(k); }},
      {"swept", 0, [](auto& k, auto&) { return activity::swept_key(k); }},
      {"closed", 0, [](auto& k, auto&) { return activity::closed_key(k); }},
      {"events", 0, [](auto& k, auto&) { return activity::events_key(k); }},
      {"lease activity", 0, [](auto& k, auto&) { return activity::lease_key(k); }},
      {"resets", 0, [](auto& k, auto&) { return leaderboards::resets_key(k); }},
      {"pending bytes", 0, [](auto& k, auto&) { return interactions::pending_bytes_key(k); }},
      {"pending 0", 0, [](auto& k, auto&) { return interactions::pending_key(k, 0); }},
      {"pending 31", 0, [](auto& k, auto&) { return interactions::pending_key(k, 31); }},
      {"pending index", 0, [](auto& k, auto&) { return interactions::pending_index_key(k, 7); }},
      {"attack fence", 0, [](auto& k, auto&) { return interactions::attack_fence_key(k); }},
      {"attack flusher", 0, [](auto& k, auto&) { return interactions::attack_flusher_key(k); }},
      {"log", 0, [](auto& k, auto&) { return interactions::log_key(k); }},
      {"event ids", 0, [](auto& k, auto&) { return k.key("eventdigests:2833333"); }},
      {"status", 0, [](auto& k, auto&) { return status::document_key(k); }},
      {"status history", 0, [](auto& k, auto&) { return status::history_key(k); }},
      {"status lease", 0, [](auto& k, auto&) { return status::lease_key(k); }},
      {"status lock", 0, [](auto& k, auto&) { return status::lock_key(k); }},
      {"status interval", 0, [](auto& k, auto&) { return status::interval_key(k); }},
      {"positions", 0, [](auto& k, auto&) { return positions::positions_key(k); }},
      {"ready", 0, [](auto& k, auto&) { return k.key("ready"); }},
      {"lease positions", 0, [](auto& k, auto&) { return positions::lease_key(k); }},
      {"rate limit policies", 0, [](auto& k, auto&) { return request_limits::policies_key(k); }},
      {"unacked", 0, [](auto& k, auto&) { return task_keys(k).unacked(); }},
      {"unacked index", 0, [](auto& k, auto&) { return task_keys(k).unacked_index(); }},
  };
  for (const auto* what : {"pending", "filing", "filed", "bytes", "since", "filer"})
    out.push_back({fmt::format("acts {}", what), 0,
                   [=](auto& k, auto&) { return interactions::pending_activity_key(k, what); }});
  for (const auto* name : {"workers", "eta", "dead", "revoked", "paused", "chords", "beat",
                           "beat:last", "beat:leader", "doctor", "history:all"})
    out.push_back({name, 0, [=](auto& k, auto&) { return task_keys(k).own(name); }});
  return out;
}

ids hostile_ids() {
  ids out{"a",
          "b",
          "c",
          "a:b",
          "b:c",
          "a:b:c",
          ":",
          "::",
          "a:",
          ":a",
          "-",
          ".",
          "_",
          "3A",
          "1",
          "x",
          "x:actions",
          "x:actions:actions",
          "actions",
          "player:x",
          "user:x",
          "level:a",
          "load:user:x",
          "taskset-meta-x",
          "active",
          "global",
          "kills",
          "popular",
          "pending",
          "pending:0",
          "0",
          "31",
          "open",
          "sealed",
          "1700000000",
          "sealing:1700000000",
          "status",
          "status:history",
          "history:all",
          "leader",
          "lock",
          "seq",
          "order",
          "done:x",
          "seasons",
          "team:a",
          "general",
          "celery",
          "skirmish",
          "unacked",
          "unacked_index",
          "interactions",
          "positions",
          "skirmish:tasks:revoked",
          "leaderboard:kills",
          "levels:popular",
          "celery-task-meta-a",
          "_kombu.binding.a",
          "2:a",
          std::string(64, 'x'),
          std::string(63, 'x') + ":"};
  std::mt19937 random(5);
  const std::string_view alphabet = "ab:.-_3A";
  for (int n = 0; n < 40; ++n) {
    std::string id(1 + random() % 5, 'a');
    for (auto& c : id) c = alphabet[random() % alphabet.size()];
    out.push_back(id);
  }
  std::ranges::sort(out);
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

const ids invalid_ids{"",
                      "a@b",
                      "%3A",
                      "a%3Ab",
                      "a b",
                      "a\nb",
                      "a*",
                      "{w}",
                      "a/b",
                      "w\xC3\xB6rld",
                      "\x06\x16"
                      "3",
                      std::string(65, 'x'),
                      std::string("a\0", 2)};

// What stands under each key.
class owners {
 public:
  void add(const std::string& key, std::string owner) {
    if (key.empty()) return;
    const auto [known, fresh] = owners_.try_emplace(key, owner);
    EXPECT_TRUE(fresh) << key << " is " << known->second << " and " << owner;
  }

 private:
  std::map<std::string, std::string> owners_;
};

void add_all(owners& to, const key_space& keys, const std::vector<builder>& builders,
             const ids& names) {
  for (const auto& b : builders) {
    const auto owner = [&](const ids& of) {
      return fmt::format("{}{} {}", keys.prefix(), b.name, fmt::join(of, " "));
    };
    if (b.count == 0) to.add(b.make(keys, {}), owner({}));
    if (b.count == 1)
      for (const auto& id : names) to.add(b.make(keys, {id}), owner({id}));
    if (b.count == 2)
      for (const auto& first : names)
        for (const auto& second : names)
          to.add(b.make(keys, {first, second}), owner({first, second}));
  }
}

TEST(key_names, no_two_things_share_a_key_whatever_their_ids) {
  owners all;
  const auto names = hostile_ids();
  for (const auto* world : {"", "w", "player:a"}) {
    const auto keys = key_space::of_world(world).value();
    add_all(all, keys, builders_with_ids(), names);
    add_all(all, keys, builders_of_tasks(), names);
    add_all(all, keys, builders_without_ids(), names);
  }
}

TEST(key_names, no_two_channels_share_a_name) {
  owners all;
  const key_space keys;
  all.add(status::channel(keys), "status");
  all.add(interactions::activity_channel, "activity");
  for (const auto* name : {"general", "achievement", "cache"}) {
    all.add(name, "chat");
    all.add(chat::presence_key(keys, name), "presence");
  }
  for (const auto& id : hostile_ids()) {
    all.add(notifications::unread_key(keys, id), "notifications " + id);
    all.add(task_keys(keys).result(id), "result " + id);
    for (const auto* kind : {"team:", "level:", "dm:"}) {
      const auto channel = kind + id;
      if (!is_valid_id(channel)) continue;
      all.add(channel, "chat " + channel);
      all.add(chat::presence_key(keys, channel), "presence " + channel);
    }
  }
}

TEST(key_names, what_is_no_id_becomes_no_part_of_a_key) {
  const key_space keys;
  for (const auto& b : builders_with_ids()) {
    for (const auto& bad : invalid_ids) {
      for (std::size_t at = 0; at < b.count; ++at) {
        // A submission's id may be two, with '@' between them.
        if (b.name == std::string("done") && at == 1 && bad == std::string("a@b")) continue;
        ids of(b.count, "a");
        of[at] = bad;
        EXPECT_THROW(b.make(keys, of), failure) << b.name << ' ' << bad;
      }
    }
  }
}

TEST(key_names, those_of_the_documentation_stay) {
  const key_space keys;
  EXPECT_EQ(players::state_key(keys, "STEAM_1:0:5"), "player:STEAM_1:0:5");
  EXPECT_EQ(interactions::attack_key(keys, "ann", "bob"), "attack:ann:bob");
  EXPECT_EQ(interactions::attack_key(keys, "a:b", "c"), "attack:a%3Ab:c");
  EXPECT_EQ(interactions::attack_key(keys, "a", "b:c"), "attack:a:b%3Ac");
  EXPECT_EQ(leaderboards::board_key(keys, "level:l1"), "leaderboard:level:l1");
  EXPECT_EQ(leaderboards::level_board_key(keys, "l1"), "leaderboard:level:l1");
  EXPECT_EQ(chat::presence_key(keys, "team:a", "b"), "presence:team:a@b");
  EXPECT_EQ(keys.key(players::profile_name("p1")), "user:p1");
  EXPECT_EQ(keys.key(levels::level_name("l1")), "level:l1");
}

TEST(key_names, queues_are_names_that_nothing_else_has) {
  for (const auto* good : {"celery", "skirmish", "mail", "high-priority", "a.b_c", "celery-tasks"})
    EXPECT_TRUE(tasks::is_queue_name(good)) << good;
  for (const auto* bad :
       {"", "leaderboard:kills", "levels:popular", "unacked", "unacked_index", "positions",
        "interactions", "skirmish:tasks:revoked", "_kombu.binding.celery", "celery-task-meta-x",
        "celery-taskset-meta-x", "a b",
        "celery\x06\x16"
        "3",
        "{w}"})
    EXPECT_FALSE(tasks::is_queue_name(bad)) << bad;
}

}  // namespace
}  // namespace skirmish
