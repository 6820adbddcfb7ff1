#include "db/database.hpp"

#include "core/event.hpp"
#include "db/backend.hpp"
#include "db/pool.hpp"
#include "db/soci.hpp"

#include <boost/asio/this_coro.hpp>

#include <random>
#include <thread>

namespace skirmish::db {
namespace {

// Tells a job that its caller no longer waits, however the caller's frame ends.
struct abandon_at_exit {
  queued_work& job;
  ~abandon_at_exit() { job.abandon(); }
};

// Two victims of one deadlock that try again in step would meet again.
void pause_before_retry() {
  thread_local std::minstd_rand random{std::random_device{}()};
  std::this_thread::sleep_for(
      std::chrono::milliseconds{std::uniform_int_distribution<int>{2, 20}(random)});
}

}  // namespace

database::database(db::config config) : pool_(std::make_unique<pool>(std::move(config))) {}
database::~database() = default;

void database::start() { pool_->start(); }
void database::stop(std::chrono::milliseconds grace) { pool_->stop(grace); }
sql_kind database::kind() const noexcept { return pool_->config().kind; }
const db::config& database::config() const noexcept { return pool_->config(); }

awaitable<void> database::execute(std::function<void(soci::session&)> work, retry on_loss) {
  const auto executor = co_await asio::this_coro::executor;
  const auto wake = std::make_shared<event>(executor);
  const auto job = std::make_shared<queued_work>(std::move(work), on_loss, wake);
  const abandon_at_exit guard{*job};
  pool_->submit(job);
  co_await wake->wait_for(pool_->config().work_limit());
  if (job->take()) co_return;
  throw failure(errc::deadline_exceeded, "SQL: no answer in time");
}

void database::transact(soci::session& sql, const std::function<bool()>& body) const {
  constexpr int attempts_max = 4;
  const auto& backend = backend_for(kind());
  const auto give_up_at = std::chrono::steady_clock::now() + config().statement_timeout;
  for (int attempt = 1;; ++attempt) {
    try {
      backend.begin(sql);
      if (body())
        sql.commit();
      else
        sql.rollback();
      return;
    } catch (const soci::soci_error& e) {
      const bool may_retry = fault_of(e) == sql_fault::contention && attempt < attempts_max &&
                             std::chrono::steady_clock::now() < give_up_at;
      // The pool rolls back what an exception leaves open.
      if (!may_retry) throw;
    }
    if (backend.in_transaction(sql)) sql.rollback();
    pause_before_retry();
  }
}

awaitable<void> database::ping() {
  return read([](soci::session& sql) {
    int one = 0;
    sql << "SELECT 1", soci::into(one);
  });
}

}  // namespace skirmish::db
