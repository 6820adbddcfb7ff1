// The periodic scheduler. Several may run; the leader holds a lease of ten seconds. A run is sent
// and recorded in one step under the leader's token, so a failover neither repeats nor misses one.
#pragma once

#include "core/asio.hpp"
#include "core/cron.hpp"
#include "core/error.hpp"
#include "core/event.hpp"
#include "redis/lease.hpp"
#include "tasks/app_impl.hpp"
#include "tasks/protocol/wall_time.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace skirmish::tasks {

struct periodic_task {
  std::string name;  // of the entry
  std::string task;
  std::optional<milliseconds> every;  // exactly one of
  std::optional<cron> at;             // these two is set
  json_array args;
  json_object kwargs;
  send_options options;
  bool run_missed = true;  // a run that no scheduler sent in time is sent once, later; else never
  json_object definition;  // what it was made of
};

// {"task": "rebuild", "every": "30s" | "cron": "0 4 * * *", "timezone": "Europe/Paris", "args":
// […], "kwargs": {…},
//  "queue": "…", "priority": 0, "expires_s": 60, "missed": "once" | "skip"}
result<periodic_task> parse_periodic(std::string name, const json_object& definition);

class beat {
 public:
  // `fixed` are the entries of the configuration. Those in Redis (hash `beat`) are added, and may
  // change while it runs.
  beat(app::impl& owner, asio::io_context& io, std::vector<periodic_task> fixed,
       milliseconds lease = std::chrono::seconds{10});

  awaitable<void> run();
  void stop();

 private:
  awaitable<bool> lead();
  awaitable<void> reload();
  // Shows the entries of the configuration to operators.
  awaitable<void> show_fixed();
  // Sends what is due. Returns the time until the next entry is due.
  awaitable<milliseconds> tick();
  awaitable<void> consider(const periodic_task& entry, std::string last, wall_time now,
                           wall_time& next);

  app::impl& app_;
  asio::io_context& io_;
  redis::client redis_;
  std::vector<periodic_task> fixed_;
  milliseconds lease_time_;
  redis::lease lease_;
  std::map<std::string, periodic_task> entries_;
  std::map<std::string, std::string> refused_;  // invalid entries in Redis, and why
  event wake_;
  std::optional<std::chrono::steady_clock::time_point> shown_at_;
  bool stopping_ = false;
  bool leading_ = false;
};

// When the entry is due, given its last run. Returns nullopt when it never is.
std::optional<wall_time> next_due(const periodic_task& entry, wall_time last);

int run_beat(app& owner, std::vector<periodic_task> fixed);

}  // namespace skirmish::tasks
