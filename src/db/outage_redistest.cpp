// Servers that are killed, frozen, absent or silent.
#include "db/database.hpp"
#include "db/soci.hpp"
#include "support/mariadb_server.hpp"
#include "support/run.hpp"
#include "support/sql_server.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <gmock/gmock.h>
#include <soci/mysql/soci-mysql.h>

#include <atomic>
#include <thread>

namespace skirmish::db {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

std::optional<errc> code_of(const std::exception_ptr& thrown) {
  if (!thrown) return std::nullopt;
  try {
    std::rethrow_exception(thrown);
  } catch (const failure& e) {
    return e.code();
  }
}

class sql_outage : public ::testing::TestWithParam<sql_kind> {
 protected:
  void SetUp() override {
    server_ = testing::shared_sql_server(GetParam());
    if (server_ == nullptr) GTEST_SKIP() << to_string(GetParam()) << " is not installed";
    config_ = server_->fresh_database();
    config_.statement_timeout = 1000ms;
    config_.connect_timeout = 1000ms;
    testing::execute_sql(config_, "CREATE TABLE hits (n INTEGER)");
  }

  void open() {
    db_ = std::make_unique<database>(config_);
    db_->start();
  }

  std::optional<errc> end_of(awaitable<void> work) {
    std::optional<errc> end;
    asio::co_spawn(io_, std::move(work),
                   [&](const std::exception_ptr& thrown) { end = code_of(thrown); });
    io_.restart();
    io_.run();
    return end;
  }

  // How each of `count` pings ends, all asked at once.
  std::vector<std::optional<errc>> ping_all(int count) {
    std::vector<std::optional<errc>> ends;
    for (int i = 0; i < count; ++i)
      asio::co_spawn(io_, db_->ping(),
                     [&](const std::exception_ptr& thrown) { ends.push_back(code_of(thrown)); });
    io_.restart();
    io_.run();
    return ends;
  }

  // Ends every session of the test's database and waits until they are gone.
  void kill_sessions() const {
    if (GetParam() == sql_kind::postgresql) {
      testing::execute_sql(config_,
                           "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
                           "WHERE datname = current_database() AND pid <> pg_backend_pid()");
      return;
    }
    // Those that stand now, and not those that replace them meanwhile.
    const auto newest = testing::query_number(config_, "SELECT CONNECTION_ID()");
    for (;;) {
      const auto id = testing::query_number(
          config_,
          "SELECT COALESCE(MIN(id), 0) FROM information_schema.processlist WHERE db = DATABASE() "
          "AND id < " +
              std::to_string(newest));
      if (id == 0) return;
      try {
        testing::execute_sql(config_, "KILL CONNECTION " + std::to_string(id));
      } catch (const soci::mysql_soci_error& e) {
        constexpr unsigned no_such_thread = 1094;
        if (e.err_num_ != no_such_thread) throw;  // else it ended between the two statements
      }
    }
  }

  [[nodiscard]] std::string sleep(const char* seconds) const {
    const auto* function = GetParam() == sql_kind::mysql ? "SLEEP(" : "pg_sleep(";
    return std::string("SELECT ") + function + seconds + ")";
  }

  testing::sql_server* server_ = nullptr;
  asio::io_context io_{1};
  db::config config_;
  std::unique_ptr<database> db_;
};

INSTANTIATE_TEST_SUITE_P(each, sql_outage, ::testing::Values(sql_kind::mysql, sql_kind::postgresql),
                         [](const auto& kind) { return std::string(to_string(kind.param)); });

const auto hit = [](soci::session& sql) { sql << "INSERT INTO hits VALUES (1)"; };

TEST_P(sql_outage, sessions_killed_while_idle_are_replaced_even_for_writes) {
  open();
  EXPECT_THAT(ping_all(20), ::testing::Each(std::nullopt));
  for (int round = 1; round <= 3; ++round) {
    kill_sessions();
    for (int i = 0; i < 8; ++i) EXPECT_EQ(end_of(db_->run(hit)), std::nullopt);
    EXPECT_EQ(testing::query_number(config_, "SELECT count(*) FROM hits"), 8 * round);
  }
}

TEST_P(sql_outage, work_whose_session_dies_under_it_is_run_again_only_if_that_is_safe) {
  config_.sessions = 1;
  config_.statement_timeout = 60s;
  open();
  for (const auto allowed : {retry::never, retry::safe}) {
    std::atomic<int> runs = 0;
    std::atomic<bool> is_sleeping = false;
    const auto work = [&](soci::session& sql) {
      sql << "SELECT 1";
      if (++runs > 1) return;
      is_sleeping = true;
      sql << sleep("60");
    };
    std::jthread killer([&] {
      while (!is_sleeping) std::this_thread::sleep_for(1ms);
      kill_sessions();
    });
    const auto end = end_of(db_->run(work, allowed));
    EXPECT_EQ(end, allowed == retry::safe ? std::nullopt : std::optional(errc::unavailable));
    EXPECT_EQ(runs, allowed == retry::safe ? 2 : 1);
  }
}

TEST_P(sql_outage, a_restarted_server_is_found_again) {
  open();
  EXPECT_THAT(ping_all(20), ::testing::Each(std::nullopt));
  server_->kill();
  EXPECT_EQ(end_of(db_->run(hit)), errc::unavailable);
  server_->start();
  const auto limit = steady_clock::now() + 5s;
  while (end_of(db_->ping()) && steady_clock::now() < limit) std::this_thread::sleep_for(20ms);
  EXPECT_THAT(ping_all(20), ::testing::Each(std::nullopt));
  EXPECT_EQ(end_of(db_->run(hit)), std::nullopt);
}

TEST_P(sql_outage, while_the_server_is_gone_work_fails_at_once) {
  open();
  EXPECT_THAT(ping_all(4), ::testing::Each(std::nullopt));
  server_->kill();
  const auto begun = steady_clock::now();
  EXPECT_THAT(ping_all(1000), ::testing::Each(errc::unavailable));
  EXPECT_LT(steady_clock::now() - begun, 10s) << "each waited for a connect timeout";
  server_->start();
}

TEST_P(sql_outage, a_frozen_server_blocks_nobody_beyond_the_limit) {
  open();
  EXPECT_THAT(ping_all(8), ::testing::Each(std::nullopt));
  server_->freeze();
  int ticks = 0;
  asio::steady_timer ticker(io_);
  std::function<void()> tick = [&] {
    ticker.expires_after(10ms);
    ticker.async_wait([&](error_code ec) {
      if (ec || ++ticks == 100) return;
      tick();
    });
  };
  tick();
  const auto begun = steady_clock::now();
  auto ends = ping_all(100);
  const auto took = steady_clock::now() - begun;
  EXPECT_THAT(ends, ::testing::Each(::testing::AnyOf(errc::deadline_exceeded, errc::unavailable)));
  EXPECT_THAT(ends, ::testing::Contains(errc::deadline_exceeded));
  EXPECT_GE(took, 1000ms);
  EXPECT_LT(took, config_.work_limit() + 10s) << "they waited one after the other";
  EXPECT_EQ(ticks, 100) << "the caller's thread was blocked";
  server_->thaw();
  const auto limit = steady_clock::now() + 10s;
  while (end_of(db_->ping()) && steady_clock::now() < limit) std::this_thread::sleep_for(20ms);
  EXPECT_THAT(ping_all(20), ::testing::Each(std::nullopt));
}

TEST_P(sql_outage, stopping_does_not_wait_for_a_frozen_server) {
  config_.statement_timeout = 60'000ms;
  open();
  EXPECT_THAT(ping_all(8), ::testing::Each(std::nullopt));
  server_->freeze();
  std::vector<std::optional<errc>> ends;
  for (int i = 0; i < 8; ++i)
    asio::co_spawn(io_, db_->ping(),
                   [&](const std::exception_ptr& thrown) { ends.push_back(code_of(thrown)); });
  io_.restart();
  const auto begun = steady_clock::now();
  while (steady_clock::now() - begun < 100ms) io_.poll_one();
  db_->stop(100ms);
  EXPECT_LT(steady_clock::now() - begun, 10s);
  io_.run();
  EXPECT_EQ(ends.size(), 8U);
  EXPECT_THAT(ends, ::testing::Not(::testing::Contains(std::nullopt)));
  server_->thaw();
}

TEST_P(sql_outage, a_server_that_never_existed_is_unavailable) {
  config_.unix_socket.clear();
  config_.host = "localhost";
  config_.port = 1;
  open();
  const auto begun = steady_clock::now();
  EXPECT_THAT(ping_all(1000), ::testing::Each(errc::unavailable));
  EXPECT_LT(steady_clock::now() - begun, 10s) << "each waited for a connect timeout";
}

TEST_P(sql_outage, a_server_that_accepts_and_says_nothing_costs_few_connect_timeouts) {
  const asio::ip::tcp::acceptor silent(io_, {asio::ip::address_v4::loopback(), 0});
  config_.unix_socket.clear();
  config_.port = silent.local_endpoint().port();
  config_.statement_timeout = 5000ms;
  open();
  const auto begun = steady_clock::now();
  EXPECT_THAT(ping_all(1000), ::testing::Each(errc::unavailable));
  // The first four wait side by side, two seconds at most, and no other does.
  EXPECT_LT(steady_clock::now() - begun, 10s);
}

TEST(mariadb, a_server_that_grants_fewer_sessions_than_we_want_serves_with_those) {
  auto& server =
      dynamic_cast<testing::mariadb_server&>(*testing::shared_sql_server(sql_kind::mysql));
  auto config = server.fresh_database();
  testing::execute_sql(server.root(), "CREATE OR REPLACE USER few WITH MAX_USER_CONNECTIONS 2");
  testing::execute_sql(server.root(), "GRANT ALL ON " + config.name + ".* TO few");
  config.user = "few";
  config.sessions = 6;
  asio::io_context io{1};
  db::database db(config);
  db.start();
  // A first session, before others are refused: who is refused first of all takes the server for
  // away.
  const auto nothing = [](soci::session& sql) { sql << "DO 1"; };
  testing::run(io, [&] { return db.run(nothing); });
  io.restart();
  std::vector<std::optional<errc>> ends;
  for (int i = 0; i < 300; ++i)
    asio::co_spawn(io, db.run([](soci::session& sql) { sql << "SELECT SLEEP(0.002)"; }),
                   [&](const std::exception_ptr& thrown) { ends.push_back(code_of(thrown)); });
  io.run();
  EXPECT_EQ(ends.size(), 300U);
  EXPECT_THAT(ends, ::testing::Each(std::nullopt));
}

TEST(mariadb, a_password_with_any_character_works_and_is_never_shown) {
  auto& server =
      dynamic_cast<testing::mariadb_server&>(*testing::shared_sql_server(sql_kind::mysql));
  testing::execute_sql(server.root(),
                       R"(CREATE OR REPLACE USER guest IDENTIFIED BY 'it''s \\ "p@ss" = /?#')");
  testing::execute_sql(server.root(), "CREATE OR REPLACE DATABASE guests");
  testing::execute_sql(server.root(), "GRANT ALL ON guests.* TO guest");
  const auto url = [&](const std::string& password) {
    return parse_database_url("mysql://guest:" + password +
                              "@/guests?unix_socket=" + server.socket())
        .value();
  };
  asio::io_context io{1};
  db::database right(url("it's%20%5C%20%22p%40ss%22%20%3D%20%2F%3F%23"));
  right.start();
  testing::run(io, [&] { return right.ping(); });

  db::database wrong(url("hunter2"));
  wrong.start();
  try {
    testing::run(io, [&] { return wrong.ping(); });
    FAIL() << "a wrong password was taken";
  } catch (const failure& e) {
    EXPECT_EQ(e.code(), errc::unavailable);
    EXPECT_THAT(e.what(), ::testing::Not(::testing::HasSubstr("hunter2")));
  }
}

}  // namespace
}  // namespace skirmish::db
