// Keeps the status: watches Redis, refreshes when this process leads, asks the game server, and
// puts what readers shall see on the board. One a process, on a thread and with a Redis client of
// its own.
#pragma once

#include "config.hpp"
#include "core/clock.hpp"
#include "core/task_group.hpp"
#include "db/database.hpp"
#include "metrics/registry.hpp"
#include "redis/client.hpp"
#include "status/announcer.hpp"
#include "status/damper.hpp"
#include "status/fleet.hpp"
#include "status/last_known.hpp"
#include "status/probe_url.hpp"
#include "status/single_flight.hpp"
#include "status/store.hpp"
#include "status/view.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace skirmish::status {

// What a forced refresh came to.
struct refresh_outcome {
  bool is_refreshed = false;
  std::string problem;  // when not
};

class keeper {
 public:
  // `may_lead` false: it watches and fills an empty cache, but never refreshes by the clock.
  // Throws failure{invalid_argument} for a bad probe URL, webhook URL or world.
  keeper(task_group& tasks, redis::client& redis, unsigned redis_database, db::database& db,
         const config& settings, const clock& time, metrics::registry& metrics, bool may_lead);

  // Loads the last known document and starts the watch in the task group.
  void start();
  // The database is not read before this was called.
  void database_prepared() { is_database_prepared_ = true; }
  // Gives the lease back, so that another process takes over at once.
  awaitable<void> hand_over();

  [[nodiscard]] view_board& board() noexcept { return board_; }

  // These run on the keeper's thread.
  // Brings a view on the board that is good now, from wherever it can be had; single flight.
  awaitable<void> resolve();
  // Reads the database and asks the game server now.
  awaitable<refresh_outcome> refresh();
  // The live interval in Redis; nullopt takes it back. Throws failure when Redis does not answer.
  awaitable<void> set_interval(std::optional<std::int64_t> seconds);
  // What the history holds since then, at most `limit` points, oldest first.
  // `server` is empty for the first game server.
  awaitable<std::vector<history_point>> history(const std::string& server, timestamp since,
                                                std::int64_t limit);

 private:
  using steady = std::chrono::steady_clock;

  awaitable<void> watch();
  awaitable<void> watch_once();
  awaitable<void> look();
  void see(const store::polled& seen);
  void take_interval(const std::optional<std::string>& text);
  awaitable<void> lead();
  awaitable<void> find_view();
  awaitable<void> load();
  awaitable<bool> wait_for_other();
  awaitable<void> load_from_database();
  awaitable<void> observe();
  awaitable<void> refresh_all();
  awaitable<void> probe_again();
  awaitable<void> remember();
  // Whether this process refreshes now: as the leader, or for itself while Redis is down.
  [[nodiscard]] bool acts() const;
  void report_fill() const;
  void report_refresh(steady::time_point begun) const;
  awaitable<void> announce();
  void lose_redis(const std::string& why);
  void publish(origin from, const std::string& problem = {});
  [[nodiscard]] bool is_due() const;
  [[nodiscard]] history_point point() const;

  task_group& tasks_;
  db::database& db_;
  const config& settings_;
  const clock& clock_;
  store store_;
  last_known file_;
  std::optional<probe_target> target_;
  damper damper_;
  view_board board_;
  fleet fleet_;
  announcer announcer_;
  bool may_lead_;
  bool is_database_prepared_ = false;

  std::optional<document> known_;  // the newest that was seen anywhere
  std::string polled_text_;        // of the document, as last seen in Redis
  bool is_in_redis_ = false;
  bool is_loaded_ = false;      // by the last load()
  std::string load_problem_;    // of the last load()
  bool was_first_due_ = false;  // the refresh at start has been begun
  steady::time_point refreshed_at_{};
  steady::time_point lease_tried_at_{};
  steady::time_point probe_again_at_ = steady::time_point::max();
  std::chrono::milliseconds interval_;
  std::string refused_interval_;  // the last bad value, to log it once

  single_flight finding_;
  single_flight loading_;
  single_flight observing_;
  single_flight refreshing_;

  metrics::counter& refreshes_;
  metrics::counter& refresh_failures_;
  metrics::counter& probes_;
  metrics::counter& probe_failures_;
  metrics::counter& queries_;
};

}  // namespace skirmish::status
