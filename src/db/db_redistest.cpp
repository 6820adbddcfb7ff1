// What work does and sees on each kind of database.
#include "support/sql_fixture.hpp"

#include <boost/asio/co_spawn.hpp>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <thread>

namespace skirmish::db {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

class sql_test : public testing::sql_fixture {
 protected:
  void create_items() {
    tell([](soci::session& sql) {
      sql << "CREATE TABLE items (id VARCHAR(64) NOT NULL PRIMARY KEY, amount BIGINT NOT NULL, "
             "note TEXT)"
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
};

INSTANTIATE_TEST_SUITE_P(each, sql_test, testing::every_database(), testing::database_name);

TEST_P(sql_test, values_come_back_as_they_were_given) {
  open();
  tell([](soci::session& sql) {
    sql << "CREATE TABLE v (id INTEGER PRIMARY KEY, t TEXT, big BIGINT, d DOUBLE PRECISION)"
           "/*! DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin */";
  });
  const std::vector<std::optional<std::string>> texts = {
      "plain",
      "",
      std::nullopt,
      "Jo\xC3\xA3o \xE6\xBC\xA2\xE5\xAD\x97 \xF0\x9F\x97\xA1\xEF\xB8\x8F",
      "line\nbreak\ttab\\back'quote\"double`tick:colon %s ? $1 ;--",
      std::string(60'000, 'x'),
      "' OR '1'='1",
      "'); DROP TABLE v; --",
      "\\'; DROP TABLE v; --",
      "/* */ :id"};
  constexpr auto largest = std::numeric_limits<long long>::max();
  for (int id = 0; id < static_cast<int>(texts.size()); ++id) {
    tell([id, text = texts[static_cast<std::size_t>(id)]](soci::session& sql) {
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
              co_await db_->run([](soci::session& sql) {
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
      return affected_rows(
          (sql.prepare << "UPDATE items SET amount = 7 WHERE id = :id", soci::use(id)));
    });
    EXPECT_EQ(rows, 1) << "the second time nothing changes, and it matches all the same";
  }
}

TEST_P(sql_test, an_sql_error_is_internal_and_says_nothing_of_bound_values) {
  open();
  EXPECT_EQ(code_of([&]() -> awaitable<void> {
              co_await db_->run([](soci::session& sql) {
                const std::string secret = "hunter2";
                sql << "INSERT INTO no_such_table VALUES (:secret)", soci::use(secret);
              });
            }),
            errc::internal);
  EXPECT_THAT(problem_, ::testing::HasSubstr("no_such_table"));
  EXPECT_THAT(problem_, ::testing::Not(::testing::HasSubstr("hunter2")));
  testing::run(io_, [&] { return db_->ping(); });
}

TEST_P(sql_test, what_work_throws_reaches_the_caller) {
  open();
  EXPECT_EQ(code_of([&]() -> awaitable<void> {
              co_await db_->run([](soci::session&) { throw failure(errc::conflict, "mine"); });
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
    testing::run(io_,
                 [&]() -> awaitable<void> { out = co_await db_->transaction(transfer(outcome)); });
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
  config_.sessions = 1;
  open();
  create_items();
  const auto forgetful = [](soci::session& sql) {
    sql.begin();
    sql << "UPDATE items SET amount = 99 WHERE id = 'a'";
  };
  EXPECT_EQ(code_of([&] { return db_->run(forgetful); }), errc::internal);
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
    return db_->transaction([&, first, second](soci::session& sql) {
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
  asio::co_spawn(io_, both("a", "b"), count);
  asio::co_spawn(io_, both("b", "a"), count);
  io_.restart();
  io_.run();
  EXPECT_EQ(done, 2);
  EXPECT_GE(runs, 3) << "nobody was a victim";
  EXPECT_EQ(amount("a"), 21);
  EXPECT_EQ(amount("b"), 22);
}

TEST(sqlite, the_file_is_private_and_commits_are_synced) {
  auto config = testing::fresh_sqlite();
  asio::io_context io{1};
  db::database db(config);
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
    struct stat info{};
    ASSERT_EQ(::stat((config.path + suffix).c_str(), &info), 0) << suffix;
    EXPECT_EQ(info.st_mode & 0777U, 0600U) << suffix;
  }
}

// Whether another process that wants the file for itself would be kept out.
bool is_locked_by_this_process(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  struct flock asked{};
  asked.l_type = F_WRLCK;
  asked.l_whence = SEEK_SET;
  // SQLite's shared lock lies there (os.h, SHARED_FIRST and SHARED_SIZE).
  asked.l_start = 0x40000002;
  asked.l_len = 510;
  // An open file description's lock meets the locks of its own process, too.
  const int asking = ::fcntl(fd, F_OFD_GETLK, &asked);
  ::close(fd);  // This ends the locks: ask once.
  return asking == 0 && asked.l_type != F_UNLCK;
}

TEST(sqlite, a_session_keeps_its_lock_when_another_opens_the_file) {
  const auto config = testing::fresh_sqlite();
  asio::io_context io{1};
  db::database db(config);
  db.start();
  const auto write = [](soci::session& sql) { sql << "CREATE TABLE t (x INTEGER)"; };
  testing::run(io, [&] { return db.run(write); });
  testing::execute_sql(config, "INSERT INTO t VALUES (1)");
  EXPECT_TRUE(is_locked_by_this_process(config.path))
      << "another process would delete the log under this one";
}

TEST(sqlite, work_waits_for_another_process_that_writes) {
  auto config = testing::fresh_sqlite();
  testing::execute_sql(config, "CREATE TABLE t (x INTEGER)");
  config.statement_timeout = 2s;
  db::database mine(config);
  db::database other(config);
  mine.start();
  other.start();
  asio::io_context io{1};
  std::atomic<bool> may_end = false;
  std::atomic<bool> is_locked = false;
  const std::function<void(soci::session&)> hold = [&](soci::session& sql) {
    sql << "INSERT INTO t VALUES (1)";
    is_locked = true;
    while (!may_end) std::this_thread::sleep_for(1ms);
  };
  const auto write = [](soci::session& sql) { sql << "INSERT INTO t VALUES (2)"; };
  int held = 0;
  asio::co_spawn(io, other.transaction(hold), [&](const std::exception_ptr& thrown) {
    if (!thrown) ++held;
  });
  while (!is_locked) io.poll();
  std::jthread ender([&] {
    std::this_thread::sleep_for(100ms);
    may_end = true;
  });
  testing::run(io, [&] { return mine.transaction(write); });
  io.run();
  EXPECT_EQ(held, 1);
  EXPECT_EQ(testing::query_number(config, "SELECT count(*) FROM t"), 2);
}

}  // namespace
}  // namespace skirmish::db
