// Callers that wait, leave or come in crowds, and pools that stop.
#include "support/sql_fixture.hpp"

#include <boost/asio/cancel_after.hpp>
#include <boost/asio/co_spawn.hpp>
#include <gmock/gmock.h>

#include <atomic>
#include <thread>

namespace skirmish::db {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

class sql_pool_test : public testing::sql_fixture {
 protected:
  // A statement that takes `seconds` unless it is ended.
  [[nodiscard]] std::function<void(soci::session&)> slow(int seconds) const {
    return [kind = config_.kind, seconds](soci::session& sql) {
      if (kind == sql_kind::mysql) {
        sql << "SELECT SLEEP(" << seconds << ")";
      } else if (kind == sql_kind::postgresql) {
        sql << "SELECT pg_sleep(" << seconds << ")";
      } else {
        // About 20 million rows per second.
        const long long rows = 20'000'000LL * seconds;
        long long count = 0;
        sql << "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows) "
               "SELECT count(*) FROM n",
            soci::use(rows), soci::into(count);
      }
    };
  }

  void create_counter() {
    tell([](soci::session& sql) {
      sql << "CREATE TABLE counter (n BIGINT NOT NULL)";
      sql << "INSERT INTO counter VALUES (0)";
    });
  }

  long long counter() {
    return ask([](soci::session& sql) {
      long long n = -1;
      sql << "SELECT n FROM counter", soci::into(n);
      return n;
    });
  }
};

INSTANTIATE_TEST_SUITE_P(each, sql_pool_test, testing::every_database(), testing::database_name);

TEST_P(sql_pool_test, a_slow_statement_is_ended) {
  config_.statement_timeout = 1000ms;
  config_.connect_timeout = 1000ms;
  config_.sessions = 1;
  open();
  testing::run(io_, [&] { return db_->ping(); });
  const auto begun = steady_clock::now();
  EXPECT_EQ(code_of([&] { return db_->run(slow(20)); }), errc::deadline_exceeded);
  EXPECT_LT(steady_clock::now() - begun, 5s);
  // The one session is free again: the statement does not run on.
  testing::run(io_, [&] { return db_->ping(); });
  EXPECT_LT(steady_clock::now() - begun, 10s);
}

TEST_P(sql_pool_test, a_cancelled_caller_resumes_at_once_and_its_work_goes_on) {
  config_.sessions = 1;
  open();
  create_counter();
  std::atomic<bool> may_end = false;
  std::function<void(soci::session&)> work = [&may_end](soci::session& sql) {
    while (!may_end) std::this_thread::sleep_for(1ms);
    sql << "UPDATE counter SET n = 50";
  };
  EXPECT_THROW(testing::run(io_,
                            [&]() -> awaitable<void> {
                              co_await asio::co_spawn(io_, db_->run(work),
                                                      asio::cancel_after(20ms, use_awaitable));
                            }),
               boost::system::system_error);
  may_end = true;
  EXPECT_EQ(counter(), 50);
}

TEST_P(sql_pool_test, an_abandoned_frame_leaves_nothing_behind) {
  open();
  std::atomic<bool> may_end = false;
  std::atomic<bool> has_begun = false;
  std::atomic<bool> has_ended = false;
  {
    asio::io_context short_lived{1};
    std::function<void(soci::session&)> work = [&](soci::session&) {
      has_begun = true;
      while (!may_end) std::this_thread::sleep_for(1ms);
      has_ended = true;
    };
    asio::co_spawn(short_lived, db_->run(work), [](const std::exception_ptr&) {});
    short_lived.poll();
    while (!has_begun) std::this_thread::sleep_for(1ms);
  }
  may_end = true;
  testing::run(io_, [&] { return db_->ping(); });
  // Another session may have answered that, while the work still looks at what is declared here.
  while (!has_ended) std::this_thread::sleep_for(1ms);
}

TEST_P(sql_pool_test, a_thousand_callers_at_once) {
  config_.statement_timeout = 30s;
  open();
  create_counter();
  int done = 0;
  for (int i = 0; i < 1000; ++i)
    asio::co_spawn(io_, db_->run([](soci::session& sql) { sql << "UPDATE counter SET n = n + 1"; }),
                   [&](const std::exception_ptr& thrown) {
                     if (!thrown) ++done;
                   });
  io_.restart();
  io_.run();
  EXPECT_EQ(done, 1000);
  EXPECT_EQ(counter(), 1000);
}

TEST_P(sql_pool_test, a_full_queue_refuses_at_once) {
  config_.sessions = 1;
  config_.queue_limit = 10;
  open();
  std::atomic<bool> may_end = false;
  std::function<void(soci::session&)> work = [&may_end](soci::session&) {
    while (!may_end) std::this_thread::sleep_for(1ms);
  };
  int done = 0;
  int refused = 0;
  for (int i = 0; i < 100; ++i)
    asio::co_spawn(io_, db_->run(work), [&](const std::exception_ptr& thrown) {
      ++(thrown ? refused : done);
      if (refused >= 89) may_end = true;
    });
  io_.restart();
  io_.run();
  // The thread may have taken the first one before the queue was full, or not.
  EXPECT_THAT(done, ::testing::AnyOf(10, 11));
  EXPECT_EQ(done + refused, 100);
}

TEST_P(sql_pool_test, stopping_fails_what_is_queued_and_lets_running_work_end) {
  config_.sessions = 1;
  config_.statement_timeout = 60s;
  open();
  std::atomic<bool> begun = false;
  std::atomic<bool> is_stopping = false;
  std::function<void(soci::session&)> work = [&](soci::session&) {
    begun = true;
    while (!is_stopping) std::this_thread::sleep_for(1ms);
  };
  std::vector<std::optional<errc>> ends;
  for (int i = 0; i < 5; ++i)
    asio::co_spawn(io_, db_->run(work), [&](const std::exception_ptr& thrown) {
      try {
        if (thrown) std::rethrow_exception(thrown);
        ends.emplace_back();
      } catch (const failure& e) {
        ends.emplace_back(e.code());
      }
    });
  io_.restart();
  while (!begun) io_.poll();
  std::jthread watcher([&] {
    // Waits behind the work, and is told when the database stops.
    asio::io_context io{1};
    asio::co_spawn(io, db_->ping(), [&](const std::exception_ptr&) { is_stopping = true; });
    io.run();
  });
  db_->stop();
  watcher.join();
  io_.run();
  const std::optional<errc> succeeded;
  EXPECT_EQ(std::count(ends.begin(), ends.end(), succeeded), 1);
  EXPECT_EQ(std::count(ends.begin(), ends.end(), errc::unavailable), 4);
  EXPECT_EQ(code_of([&] { return db_->ping(); }), errc::unavailable);
}

TEST_P(sql_pool_test, stopping_cuts_work_that_does_not_end) {
  config_.statement_timeout = 60s;
  open();
  bool failed = false;
  asio::co_spawn(io_, db_->run(slow(60)),
                 [&](const std::exception_ptr& thrown) { failed = !!thrown; });
  io_.restart();
  const auto begun = steady_clock::now();
  while (steady_clock::now() - begun < 200ms) io_.poll_one();
  db_->stop(100ms);
  EXPECT_LT(steady_clock::now() - begun, 15s);
  io_.run();
  EXPECT_TRUE(failed);
}

}  // namespace
}  // namespace skirmish::db
