// Jobs as one feature of a server thread.
#pragma once

#include "jobs/jobs.hpp"
#include "jobs/jobs_routes.hpp"
#include "tasks/tasks.hpp"

#include <utility>

namespace skirmish::jobs {

class feature {
 public:
  // Assignments are tasks, which go to the broker `redis` under `keys`.
  feature(asio::io_context& io, redis::client& redis, db::database& db, const clock& time,
          tasks::key_names keys)
      : io_(io), redis_(redis), keys_(std::move(keys)), jobs_(db, time) {}

  void add_to(http::router& routes) { add_routes(routes, jobs_, {io_, redis_, keys_}); }

 private:
  asio::io_context& io_;
  redis::client& redis_;
  tasks::key_names keys_;
  service jobs_;
};

}  // namespace skirmish::jobs
