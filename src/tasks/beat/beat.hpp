// The periodic scheduler. Several may run; one leads, by a lease of ten seconds. A run is sent and
// noted in one step, under the leader's token, so a failover neither doubles nor misses one.
#pragma once

#include "core/asio.hpp"
#include "core/cron.hpp"
#include "core/error.hpp"
#include "redis/lease.hpp"
#include "tasks/app_impl.hpp"
#include "tasks/protocol/text.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace skirmish::tasks {

struct periodic_task {
  std::string name;  // of the entry
  std::string task;
  std::optional<milliseconds> every;  // either this
  std::optional<cron> at;             // or that
  json_array args;
  json_object kwargs;
  send_options options;
  bool run_missed = true;  // when nobody scheduled at its time: once, later; false: not at all
};

// {"task": "rebuild", "every": "30s" | "cron": "0 4 * * *", "timezone": "Europe/Paris", "args":
// […], "kwargs": {…},
//  "queue": "…", "priority": 0, "expires_s": 60, "missed": "once" | "skip"}
result<periodic_task> parse_periodic(std::string name, const json_object& definition);

class beat {
 public:
  // `fixed` are the entries of the configuration; those in Redis (hash beat) are added, and
  // followed while it runs.
  beat(app::impl& owner, asio::io_context& io, std::vector<periodic_task> fixed,
       milliseconds lease = std::chrono::seconds{10});

  awaitable<void> run();
  void stop();

 private:
  awaitable<bool> lead();
  awaitable<void> reload();
  // Sends what is due; when the next is due, as seen from now.
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
  std::map<std::string, std::string> refused_;  // entries in Redis that are left out, and why
  asio::steady_timer wake_;
  bool stopping_ = false;
  bool leading_ = false;
};

// When the entry is due after it ran last.
std::optional<wall_time> next_due(const periodic_task& entry, wall_time last);

int run_beat(app& owner, std::vector<periodic_task> fixed);

}  // namespace skirmish::tasks
