// Jobs: requests that wait for a worker. A worker is a player; a job has one at most. The system of
// record is SQL, whose rows decide races: of two that assign the same job, one gets it.
#pragma once

#include "core/asio.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "db/database.hpp"

#include <optional>
#include <string>
#include <vector>

namespace skirmish::jobs {

struct job {
  std::string job_id;
  std::string kind;
  std::string payload = "{}";     // JSON
  std::string state = "pending";  // then processing, then done or failed
  std::optional<std::string> worker_id;
  timestamp created_at;
  std::optional<timestamp> assigned_at;
  std::optional<timestamp> ended_at;
};

class service {
 public:
  service(db::database& db, const clock& time) : db_(db), clock_(time) {}

  // already_exists when the id is taken.
  awaitable<result<job>> create(job j);
  awaitable<result<job>> get(std::string job_id);
  // By id, those behind `after`; of one state when it is not empty.
  awaitable<std::vector<job>> list(std::string state, std::string after, std::int64_t limit);

  // not_found: no such job. invalid_argument: no such worker. conflict: it is not pending (any
  // more). The same worker may be given the same job again: that changes nothing.
  awaitable<result<job>> assign(std::string job_id, std::string worker_id);
  // Whether assign() would do it now.
  awaitable<result<job>> check(std::string job_id, std::string worker_id);
  // Ends one that is being processed. conflict when it is not.
  awaitable<result<job>> end(std::string job_id, bool succeeded);

 private:
  db::database& db_;
  const clock& clock_;
};

}  // namespace skirmish::jobs
