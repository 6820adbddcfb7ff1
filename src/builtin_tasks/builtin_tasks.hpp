// The built-in tasks that work with the game (docs/tasks.md lists them all):
//
//   send_notification(player_id, text)     pushes it to the player and keeps it until it is read
//   process_assignment(job_id, worker_id)  gives a pending job to a worker
//   rebuild_leaderboard(board)             puts every entry in its exact place again
//   export_interactions(since, until)      a page of the event log
//   status_webhook(event)                  tells status.webhook_url of a game server's change
//
// Each may run twice with the effect of once, so all are acknowledged late: a worker that dies
// loses none of them.
#pragma once

#include "builtin_tasks/task_share.hpp"
#include "core/task_group.hpp"
#include "db/database.hpp"
#include "db/reachability.hpp"
#include "jobs/jobs.hpp"
#include "leaderboards/leaderboards.hpp"
#include "notifications/notifications.hpp"
#include "players/players.hpp"
#include "redis/client.hpp"
#include "skirmish/cache.hpp"
#include "skirmish/tasks.hpp"
#include "status/status.hpp"

namespace skirmish::builtin_tasks {

struct surroundings {
  const redis::connection_config& redis;
  const redis::key_space& keys;
  const clock& time;
  db::database& db;
  notifications::settings notifications;
  std::size_t concurrency = 0;  // of the worker; 0: one per processor
  status::webhook_settings webhook;
};

// What the tasks work with: services of their own, on the loop of the worker that runs them. Must
// outlive that worker.
class game {
 public:
  game(asio::io_context& io, const surroundings& of);

  // Registers all built-in tasks, those for diagnosis too.
  void add_to(tasks::app& to);

  // Between these two the tasks can reach Redis.
  void start();
  awaitable<void> stop();

 private:
  using json = tasks::json;
  awaitable<json> send_notification(std::string task_id, json player_id, std::string text);
  awaitable<json> process_assignment(std::string job_id, std::string worker_id);
  awaitable<json> rebuild_leaderboard(const tasks::task_context& self, std::string board);
  awaitable<json> export_interactions(const tasks::task_context& self, json since, json until,
                                      std::int64_t limit);
  awaitable<json> status_webhook(std::string task_id, json event);

  task_share slow_;  // sleep, rebuild_leaderboard, export_interactions
  redis::client redis_;
  const redis::key_space& keys_;
  const clock& clock_;
  status::webhook_settings webhook_;
  task_group group_;
  db::reachability sql_;
  cache::store caches_;
  players::service players_;
  leaderboards::service boards_;
  jobs::service jobs_;
  notifications::service notifications_;
};

// app_options for the tasks of a world: its prefix before every key, built-in names routed.
tasks::app_options options_of(const redis::key_space& keys);

}  // namespace skirmish::builtin_tasks
