// The keeper with all it needs: a thread, an event loop and a Redis client of its own, so that
// whatever the backends do, no server thread waits with them.
#pragma once

#include "core/run_loop.hpp"
#include "core/task_group.hpp"
#include "redis/client.hpp"
#include "status/keeper.hpp"

#include <boost/asio/io_context.hpp>

#include <functional>
#include <thread>

namespace skirmish::status {

class worker {
 public:
  // `db` must be started before start(), and outlive this.
  worker(const config& settings, const redis::connection_config& redis, db::database& db,
         const clock& time, metrics::registry& metrics, bool may_lead);
  ~worker();  // stops

  void start();
  // The database is not read, and nothing refreshed, before this was called. Thread-safe.
  void database_prepared();
  // Gives the lease back, and ends and joins the thread. Call it when nobody asks any more.
  void stop();

  // Thread-safe.
  [[nodiscard]] view_board& board() noexcept { return keeper_.board(); }

  // Runs `work` on the keeper's thread and returns when it has ended or `patience` has passed;
  // false in the latter case (the work goes on). What it throws is logged. Thread-safe; `work` must
  // not refer to the caller's frame.
  awaitable<bool> ask(std::function<awaitable<void>(keeper&)> work,
                      std::chrono::milliseconds patience);
  // The same without waiting.
  void tell(std::function<awaitable<void>(keeper&)> work);
  // Refreshes at once, without waiting for it. Thread-safe.
  void refresh_soon();

 private:
  awaitable<void> shut_down();

  event_loop io_{1};
  task_group tasks_{io_};
  task_group control_{io_};
  redis::client redis_;
  keeper keeper_;
  std::thread thread_;
};

}  // namespace skirmish::status
