// Whether the SQL server answers, as a server knows it without asking at each request.
#pragma once

#include "core/asio.hpp"
#include "db/database.hpp"

#include <atomic>
#include <chrono>

namespace skirmish::db {

// How long a read with a cache before it waits for SQL, so that callers have their 503 within a
// second. A file is never away, at most slow.
constexpr std::chrono::milliseconds cached_read_limit(sql_kind kind) noexcept {
  return std::chrono::milliseconds{kind == sql_kind::sqlite ? 10'000 : 850};
}

// One a process; one coroutine asks, any thread may look.
class reachability {
 public:
  static constexpr std::chrono::milliseconds period{500};
  static constexpr std::chrono::milliseconds patience{2'000};  // then it counts as away

  explicit reachability(database& db) : db_(db) {}

  // Asks the server every `period`, until cancelled; give it to a task_group. An SQLite file is
  // always there: it is not asked.
  awaitable<void> run();

  // True until it is known that the server does not answer.
  [[nodiscard]] bool ok() const noexcept { return ok_.load(std::memory_order_relaxed); }

 private:
  awaitable<void> look();
  awaitable<bool> answers();

  database& db_;
  std::atomic<bool> ok_{true};
};

}  // namespace skirmish::db
