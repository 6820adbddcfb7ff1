// The audit log as one feature of a server thread.
#pragma once

#include "audit/audit.hpp"
#include "audit/audit_routes.hpp"
#include "core/task_group.hpp"

namespace skirmish::audit {

class feature {
 public:
  // `keep`: how long SQL keeps a change.
  feature(redis::client& redis, db::database& db, const redis::key_space& keys, const clock& time,
          std::chrono::milliseconds keep)
      : db_(db), keep_(keep), log_(redis, db, keys, time) {}

  void add_to(http::router& routes) {
    add_routes(routes, db_);
    routes.record_changes(log_);
  }

  // One thread is enough: operators change little, and the mover takes what all threads noted.
  void start_on_first(task_group& group) {
    group.keep_running("audit_mover", [this] { return log_.run_mover(keep_); });
  }

  [[nodiscard]] log& changes() noexcept { return log_; }

 private:
  db::database& db_;
  std::chrono::milliseconds keep_;
  log log_;
};

}  // namespace skirmish::audit
