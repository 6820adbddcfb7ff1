// What work does and sees on each kind of database.
#include "db/database.hpp"
#include "db/soci.hpp"
#include "support/run.hpp"
#include "support/sql_server.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancel_after.hpp>
#include <boost/asio/co_spawn.hpp>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <atomic>
#include <thread>

namespace skirmish {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

// A database of its own for each test, on each kind of server.
class sql_test : public ::testing::TestWithParam<sql_kind> {
 protected:
  void SetUp() override {
    if (GetParam() == sql_kind::sqlite) {
      config = testing::fresh_sqlite();
    } else if (auto* server = testing::shared_sql_server(GetParam())) {
      config = server->fresh_database();
    } else {
      GTEST_SKIP() << to_string(GetParam()) << " is not installed";
    }
    config.sessions = 4;
  }

  void open() {
    db = std::make_unique<database>(config);
    db->start();
  }

  template <class F>
  auto ask(F work) {
    std::optional<std::invoke_result_t<F&, soci::session&>> out;
    testing::run(io, [&]() -> awaitable<void> { out = co_await db->run(work); });
    return std::move(*out);
  }

  void tell(std::function<void(soci::session&)> work) {
    testing::run(io, [&]() -> awaitable<void> { co_await db->run(work); });
  }

  void create_items() {
    tell([](soci::session& sql) {
      sql << "CREATE TABLE items (id VARCHAR(64) NOT NULL PRIMARY KEY, amount BIGINT NOT NULL, note TEXT)"
             "/*! ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin */";
      sql << "INSERT INTO items (id, amount) VALUES ('a', 1)";
      sql << "INSERT INTO items (id, amount) VALUES ('b', 2)";
    });
  }

  long long amount(const std::string& id) {
    return ask([id](soci::session& sql) {
      long long value = -1;
      sql << "SELECT amount FROM items WHERE id = :id", soci::use(id), soci::into(value);
      return value;
    });
  }

  // The code of the failure that `work` ends with; empty when it succeeds.
  std::optional<errc> code_of(std::function<awaitable<void>()> work) {
    try {
      testing::run(io, work);
    } catch (const failure& e) {
      problem = e.what();
      return e.code();
    }
    return std::nullopt;
  }

  // A statement that takes `seconds` unless it is ended.
  [[nodiscard]] std::function<void(soci::session&)> slow(int seconds) const {
    return [kind = config.kind, seconds](soci::session& sql) {
      if (kind == sql_kind::mysql) {
        sql << "SELECT SLEEP(" << seconds << ")";
      } else if (kind == sql_kind::postgresql) {
        sql << "SELECT pg_sleep(" << seconds << ")";
      } else {
        // About 20 million rows a second.
        const long long rows = 20'000'000LL * seconds;
        long long count = 0;
        sql << "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows) "
               "SELECT count(*) FROM n",
            soci::use(rows), soci::into(count);
      }
    };
  }

  asio::io_context io{1};
  database_config config;
  std::unique_ptr<database> db;
  std::string problem;
};

INSTANTIATE_TEST_SUITE_P(each, sql_test,
                         ::testing::Values(sql_kind::sqlite, sql_kind::mysql, sql_kind::postgresql),
                         [](const auto& kind) { return std::string(to_string(kind.param)); });

TEST_P(sql_test, values_come_back_as_they_were_given) {
  open();
  tell([](soci::session& sql) {
    sql << "CREATE TABLE v (id INTEGER PRIMARY KEY, t TEXT, big BIGINT, d DOUBLE PRECISION)"
           "/*! DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin */";
  });
  const std::vector<std::optional<std::string>> texts = {
      "plain", "", std::nullopt, "Jo\xC3\xA3o \xE6\xBC\xA2\xE5\xAD\x97 \xF0\x9F\x97\xA1\xEF\xB8\x8F",
      "line\nbreak\ttab\\back'quote\"double`tick:colon %s ? $1 ;--", std::string(60'000, 'x'),
      "' OR '1'='1", "'); DROP TABLE v; --", "\\'; DROP TABLE v; --", "/* */ :id"};
  const auto largest = std::numeric_limits<long long>::max();
  for (int id = 0; id < static_cast<int>(texts.size()); ++id) {
    tell([id, text = texts[static_cast<std::size_t>(id)], largest](soci::session& sql) {
      const auto big = largest - id;
      const auto number = 0.1 * id;
      sql << "INSERT INTO v (id, t, big, d) VALUES (:id, :t, :big, :d)", soci::use(id),
          soci::use(text), soci::use(big), soci::use(number);
    });
    const auto [text, big, number] = ask([id](soci::session& sql) {
      std::optional<std::string> t;
      long long b = 0;
      double d = 0;
      sql << "SELECT t, big, d FROM v WHERE id = :id", soci::use(id), soci::into(t), soci::into(b),
          soci::into(d);
      return std::tuple(t, b, d);
    });
    EXPECT_EQ(text, texts[static_cast<std::size_t>(id)]);
    EXPECT_EQ(big, largest - id);
    EXPECT_DOUBLE_EQ(number, 0.1 * id);
  }
  for (const auto& text : texts) {
    if (!text) continue;
    const auto found = ask([t = *text](soci::session& sql) {
      int count = 0;
      sql << "SELECT count(*) FROM v WHERE t = :t", soci::use(t), soci::into(count);
      return count;
    });
    EXPECT_EQ(found, 1) << text->substr(0, 40);
  }
}

TEST_P(sql_test, times_keep_their_milliseconds) {
  open();
  tell([](soci::session& sql) { sql << "CREATE TABLE times (t BIGINT, u BIGINT)"; });
  const timestamp t{1'795'230'371'028ms};
  tell([t](soci::session& sql) {
    const std::optional<timestamp> never;
    sql << "INSERT INTO times VALUES (:t, :u)", soci::use(t), soci::use(never);
  });
  const auto [first, second] = ask([](soci::session& sql) {
    std::pair<timestamp, std::optional<timestamp>> out;
    sql << "SELECT t, u FROM times", soci::into(out.first), soci::into(out.second);
    return out;
  });
  EXPECT_EQ(first, t);
  EXPECT_EQ(second, std::nullopt);
}

TEST_P(sql_test, ids_differ_by_case_and_a_value_that_does_not_fit_is_refused) {
  open();
  create_items();
  tell([](soci::session& sql) { sql << "INSERT INTO items (id, amount) VALUES ('A', 10)"; });
  EXPECT_EQ(amount("a"), 1);
  EXPECT_EQ(amount("A"), 10);
  if (GetParam() == sql_kind::sqlite) return;  // SQLite does not limit lengths
  EXPECT_EQ(code_of([&]() -> awaitable<void> {
              co_await db->run([](soci::session& sql) {
                const std::string id(65, 'x');
                sql << "INSERT INTO items (id, amount) VALUES (:id, 1)", soci::use(id);
              });
            }),
            errc::internal);
}

TEST_P(sql_test, a_duplicate_key_can_be_told_from_other_errors) {
  open();
  create_items();
  const auto insert = [](std::optional<std::string> id) {
    return [id](soci::session& sql) -> std::string {
      try {
        sql << "INSERT INTO items (id, amount) VALUES (:id, 1)", soci::use(id);
        return "inserted";
      } catch (const soci::soci_error& e) {
        return is_duplicate_key(e) ? "duplicate" : "other";
      }
    };
  };
  EXPECT_EQ(ask(insert("c")), "inserted");
  EXPECT_EQ(ask(insert("c")), "duplicate");
  EXPECT_EQ(ask(insert(std::nullopt)), "other");
}

TEST_P(sql_test, an_update_counts_the_rows_it_matched) {
  open();
  create_items();
  for (int i = 0; i < 2; ++i) {
    const auto rows = ask([](soci::session& sql) {
      const std::string id = "a";
      auto update = (sql.prepare << "UPDATE items SET amount = 7 WHERE id = :id", soci::use(id));
      soci::statement statement(update);
      statement.execute(true);
      return statement.get_affected_rows();
    });
    EXPECT_EQ(rows, 1) << "the second time nothing changes, and it matches all the same";
  }
}

TEST_P(sql_test, an_sql_error_is_internal_and_says_nothing_of_bound_values) {
  open();
  EXPECT_EQ(code_of([&]() -> awaitable<void> {
              co_await db->run([](soci::session& sql) {
                const std::string secret = "hunter2";
                sql << "INSERT INTO no_such_table VALUES (:secret)", soci::use(secret);
              });
            }),
            errc::internal);
  EXPECT_THAT(problem, ::testing::HasSubstr("no_such_table"));
  EXPECT_THAT(problem, ::testing::Not(::testing::HasSubstr("hunter2")));
  testing::run(io, [&] { return db->ping(); });
}

TEST_P(sql_test, what_work_throws_reaches_the_caller) {
  open();
  EXPECT_EQ(code_of([&]() -> awaitable<void> {
              co_await db->run([](soci::session&) { throw failure(errc::conflict, "mine"); });
            }),
            errc::conflict);
  EXPECT_THROW(tell([](soci::session&) { throw std::out_of_range("mine"); }), std::out_of_range);
}

TEST_P(sql_test, a_transaction_is_all_or_nothing) {
  open();
  create_items();
  const auto transfer = [](int outcome) {
    return [outcome](soci::session& sql) -> result<int> {
      sql << "UPDATE items SET amount = amount - 1 WHERE id = 'a'";
      sql << "UPDATE items SET amount = amount + 1 WHERE id = 'b'";
      if (outcome == 1) throw failure(errc::conflict, "thrown");
      if (outcome == 2) return error{errc::not_found, "returned"};
      return 5;
    };
  };
  const auto run = [&](int outcome) {
    std::optional<result<int>> out;
    testing::run(io, [&]() -> awaitable<void> { out = co_await db->transaction(transfer(outcome)); });
    return *out;
  };
  EXPECT_THROW(run(1), failure);
  EXPECT_EQ(amount("a"), 1);
  EXPECT_EQ(run(2).error().code, errc::not_found);
  EXPECT_EQ(amount("a"), 1);
  EXPECT_EQ(run(0).value(), 5);
  EXPECT_EQ(amount("a"), 0);
  EXPECT_EQ(amount("b"), 3);
}

TEST_P(sql_test, a_forgotten_transaction_is_rolled_back_and_reported) {
  config.sessions = 1;
  open();
  create_items();
  const auto forgetful = [](soci::session& sql) {
    sql.begin();
    sql << "UPDATE items SET amount = 99 WHERE id = 'a'";
  };
  EXPECT_EQ(code_of([&] { return db->run(forgetful); }), errc::internal);
  EXPECT_EQ(amount("a"), 1);
}

TEST_P(sql_test, the_victim_of_a_deadlock_is_run_again) {
  if (GetParam() == sql_kind::sqlite) GTEST_SKIP() << "one session cannot deadlock";
  open();
  create_items();
  // Each locks one row and then waits until the other has its own: the first round must deadlock.
  std::atomic<int> holding = 0;
  std::atomic<int> runs = 0;
  const auto both = [&](std::string first, std::string second) {
    return db->transaction([&, first, second](soci::session& sql) {
      ++runs;
      sql << "UPDATE items SET amount = amount + 10 WHERE id = :id", soci::use(first);
      ++holding;
      const auto limit = steady_clock::now() + 5s;
      while (holding < 2 && steady_clock::now() < limit) std::this_thread::yield();
      sql << "UPDATE items SET amount = amount + 10 WHERE id = :id", soci::use(second);
    });
  };
  int done = 0;
  const auto count = [&](const std::exception_ptr& thrown) {
    if (!thrown) ++done;
  };
  asio::co_spawn(io, both("a", "b"), count);
  asio::co_spawn(io, both("b", "a"), count);
  io.restart();
  io.run();
  EXPECT_EQ(done, 2);
  EXPECT_GE(runs, 3) << "nobody was a victim";
  EXPECT_EQ(amount("a"), 21);
  EXPECT_EQ(amount("b"), 22);
}

TEST_P(sql_test, a_slow_statement_is_ended) {
  config.statement_timeout = 300ms;
  config.connect_timeout = 1000ms;
  config.sessions = 1;
  open();
  testing::run(io, [&] { return db->ping(); });
  const auto begun = steady_clock::now();
  EXPECT_EQ(code_of([&] { return db->run(slow(20)); }), errc::deadline_exceeded);
  EXPECT_LT(steady_clock::now() - begun, 1200ms);
  // The one session is free again: the statement does not run on.
  testing::run(io, [&] { return db->ping(); });
  EXPECT_LT(steady_clock::now() - begun, 3s);
}

TEST_P(sql_test, a_cancelled_caller_resumes_at_once_and_its_work_goes_on) {
  config.sessions = 1;
  open();
  create_items();
  std::atomic<bool> may_end = false;
  std::function<void(soci::session&)> work = [&may_end](soci::session& sql) {
    while (!may_end) std::this_thread::sleep_for(1ms);
    sql << "UPDATE items SET amount = 50 WHERE id = 'a'";
  };
  EXPECT_THROW(testing::run(io,
                            [&]() -> awaitable<void> {
                              co_await asio::co_spawn(io, db->run(work),
                                                      asio::cancel_after(20ms, use_awaitable));
                            }),
               boost::system::system_error);
  may_end = true;
  EXPECT_EQ(amount("a"), 50);
}

TEST_P(sql_test, an_abandoned_frame_leaves_nothing_behind) {
  open();
  {
    asio::io_context short_lived{1};
    asio::co_spawn(short_lived, db->run(slow(1)), [](const std::exception_ptr&) {});
    short_lived.poll();
  }
  testing::run(io, [&] { return db->ping(); });
}

TEST_P(sql_test, a_thousand_callers_at_once) {
  open();
  create_items();
  int done = 0;
  for (int i = 0; i < 1000; ++i)
    asio::co_spawn(io,
                   db->run([](soci::session& sql) {
                     sql << "UPDATE items SET amount = amount + 1 WHERE id = 'a'";
                   }),
                   [&](const std::exception_ptr& thrown) {
                     if (!thrown) ++done;
                   });
  io.restart();
  io.run();
  EXPECT_EQ(done, 1000);
  EXPECT_EQ(amount("a"), 1001);
}

TEST_P(sql_test, a_full_queue_refuses_at_once) {
  config.sessions = 1;
  config.queue_limit = 10;
  open();
  std::atomic<bool> may_end = false;
  std::function<void(soci::session&)> work = [&may_end](soci::session&) {
    while (!may_end) std::this_thread::sleep_for(1ms);
  };
  int done = 0;
  int refused = 0;
  for (int i = 0; i < 100; ++i)
    asio::co_spawn(io, db->run(work), [&](const std::exception_ptr& thrown) {
      ++(thrown ? refused : done);
      if (refused >= 89) may_end = true;
    });
  io.restart();
  io.run();
  // The thread may have taken the first one before the queue was full, or not.
  EXPECT_THAT(done, ::testing::AnyOf(10, 11));
  EXPECT_EQ(done + refused, 100);
}

TEST_P(sql_test, stopping_fails_what_is_queued_and_lets_running_work_end) {
  config.sessions = 1;
  open();
  std::atomic<bool> begun = false;
  std::function<void(soci::session&)> work = [&begun](soci::session&) {
    begun = true;
    std::this_thread::sleep_for(100ms);
  };
  std::vector<std::optional<errc>> ends;
  for (int i = 0; i < 5; ++i)
    asio::co_spawn(io, db->run(work), [&](const std::exception_ptr& thrown) {
      try {
        if (thrown) std::rethrow_exception(thrown);
        ends.emplace_back();
      } catch (const failure& e) {
        ends.emplace_back(e.code());
      }
    });
  io.restart();
  while (!begun) io.poll();
  db->stop();
  io.run();
  const std::optional<errc> succeeded;
  EXPECT_EQ(std::count(ends.begin(), ends.end(), succeeded), 1);
  EXPECT_EQ(std::count(ends.begin(), ends.end(), errc::unavailable), 4);
  EXPECT_EQ(code_of([&] { return db->ping(); }), errc::unavailable);
}

TEST_P(sql_test, stopping_cuts_work_that_does_not_end) {
  open();
  bool failed = false;
  asio::co_spawn(io, db->run(slow(5)), [&](const std::exception_ptr& thrown) { failed = !!thrown; });
  io.restart();
  const auto begun = steady_clock::now();
  while (steady_clock::now() - begun < 200ms) io.poll_one();
  db->stop(100ms);
  EXPECT_LT(steady_clock::now() - begun, 2s);
  io.run();
  EXPECT_TRUE(failed);
}

TEST(sqlite, the_file_is_private_durable_and_waits_for_other_processes) {
  auto config = testing::fresh_sqlite();
  asio::io_context io{1};
  database db(config);
  db.start();
  const auto work = [](soci::session& sql) {
    std::string journal;
    int synchronous = 0;
    sql << "CREATE TABLE t (x INTEGER)";
    sql << "PRAGMA journal_mode", soci::into(journal);
    sql << "PRAGMA synchronous", soci::into(synchronous);
    return std::pair(journal, synchronous);
  };
  testing::run(io, [&]() -> awaitable<void> {
    const auto settings = co_await db.run(work);
    EXPECT_EQ(settings.first, "wal");
    EXPECT_EQ(settings.second, 2);
  });
  for (const auto* suffix : {"", "-wal", "-shm"}) {
    struct stat info {};
    ASSERT_EQ(::stat((config.path + suffix).c_str(), &info), 0) << suffix;
    EXPECT_EQ(info.st_mode & 0777U, 0600U) << suffix;
  }
}

}  // namespace
}  // namespace skirmish
