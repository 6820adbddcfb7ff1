// What networks do to the connection with a server.
#include "support/sql_fixture.hpp"
#include "testing/relay.hpp"

#include <gmock/gmock.h>

namespace skirmish::db {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

// One session over TCP, through a proxy.
class sql_network : public testing::sql_fixture {
 protected:
  void SetUp() override {
    testing::sql_fixture::SetUp();
    if (IsSkipped()) return;
    testing::execute_sql(config_, "CREATE TABLE hits (n INTEGER)");
    direct_ = config_;
    const auto* file = GetParam() == sql_kind::postgresql ? "/.s.PGSQL.5432" : "";
    network_ = std::make_unique<cli::relay>(config_.unix_socket + file);
    config_.unix_socket.clear();
    config_.port = network_->port();
    config_.sessions = 1;
    config_.connect_timeout = 1000ms;
    config_.statement_timeout = 1000ms;
    open();
    testing::run(io_, [&] { return db_->ping(); });
  }

  static void hit(soci::session& sql) { sql << "INSERT INTO hits VALUES (1)"; }

  [[nodiscard]] long long hits() const {
    return testing::query_number(direct_, "SELECT count(*) FROM hits");
  }

  db::config direct_;  // past the proxy
  std::unique_ptr<cli::relay> network_;
};

INSTANTIATE_TEST_SUITE_P(each, sql_network,
                         ::testing::Values(sql_kind::mysql, sql_kind::postgresql),
                         testing::database_name);

TEST_P(sql_network, a_write_whose_reply_is_cut_is_unknown_and_not_repeated) {
  network_->cut_replies_after(3);
  EXPECT_EQ(code_of([&] { return db_->run(hit); }), errc::unavailable);
  network_->cut_replies_after(-1);
  testing::run(io_, [&] { return db_->ping(); });
  EXPECT_EQ(hits(), 1);
  EXPECT_EQ(network_->accepted(), 2U);
}

TEST_P(sql_network, a_read_whose_reply_is_cut_is_answered_by_a_new_session) {
  int runs = 0;
  const auto read = [&](soci::session& sql) {
    network_->cut_replies_after(runs++ == 0 ? 3 : -1);
    int one = 0;
    sql << "SELECT 1", soci::into(one);
    return one;
  };
  testing::run(io_, [&]() -> awaitable<void> { EXPECT_EQ(co_await db_->read(read), 1); });
  EXPECT_EQ(runs, 2);
}

TEST_P(sql_network, a_connection_cut_while_idle_is_replaced_before_it_is_used) {
  network_->cut();
  testing::run(io_, [&] { return db_->run(hit); });
  EXPECT_EQ(hits(), 1);
}

TEST_P(sql_network, replies_in_small_pieces_are_put_together) {
  network_->fragment_replies(7);
  const std::string text(5'000, 'x');
  const auto read = [text](soci::session& sql) {
    std::string out;
    sql << "SELECT :t", soci::use(text), soci::into(out);
    return out;
  };
  EXPECT_EQ(ask(read), text);
}

TEST_P(sql_network, a_network_that_swallows_replies_ends_at_the_limit) {
  network_->hold_replies();
  const auto begun = steady_clock::now();
  EXPECT_EQ(code_of([&] { return db_->run(hit); }), errc::deadline_exceeded);
  EXPECT_GE(steady_clock::now() - begun, config_.statement_timeout);
  EXPECT_LT(steady_clock::now() - begun, config_.work_limit() + 5s);
  network_->release_replies();
  const auto limit = steady_clock::now() + 10s;
  while (code_of([&] { return db_->ping(); }) && steady_clock::now() < limit) {
  }
  testing::run(io_, [&] { return db_->ping(); });
  EXPECT_EQ(hits(), 1) << "whether it was done is unknown to the caller, but it was done once";
}

TEST_P(sql_network, a_retry_keeps_the_time_limit) {
  // The first connection is cut under the read, and the second one swallows the reply.
  int runs = 0;
  const auto read = [&](soci::session& sql) {
    if (runs++ == 0)
      network_->cut();
    else
      network_->hold_replies();
    sql << "SELECT 1";
  };
  const auto begun = steady_clock::now();
  EXPECT_EQ(code_of([&] { return db_->read(read); }), errc::deadline_exceeded);
  db_->stop(100ms);
  EXPECT_LT(steady_clock::now() - begun, config_.work_limit() + 5s);
  EXPECT_EQ(runs, 2);
}

}  // namespace
}  // namespace skirmish::db
