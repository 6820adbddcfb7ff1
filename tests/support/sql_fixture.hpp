// The fixture of tests that run on every kind of database:
//
//   class player_sql : public testing::sql_fixture {};
//   INSTANTIATE_TEST_SUITE_P(each, player_sql, testing::every_database(), testing::database_name);
//   TEST_P(player_sql, …) { open(); … }
#pragma once

#include "db/database.hpp"
#include "db/soci.hpp"
#include "support/run.hpp"
#include "support/sql_server.hpp"

#include <gtest/gtest.h>

#include <memory>

namespace skirmish::testing {

inline auto every_database() {
  return ::testing::Values(db::sql_kind::sqlite, db::sql_kind::mysql, db::sql_kind::postgresql);
}

inline std::string database_name(const ::testing::TestParamInfo<db::sql_kind>& info) {
  return std::string(to_string(info.param));
}

// A database of its own for each test, on each kind of server.
class sql_fixture : public ::testing::TestWithParam<db::sql_kind> {
 protected:
  void SetUp() override {
    if (GetParam() == db::sql_kind::sqlite) {
      config_ = fresh_sqlite();
    } else if (auto* server = shared_sql_server(GetParam())) {
      config_ = server->fresh_database();
    } else {
      GTEST_SKIP() << to_string(GetParam()) << " is not installed";
    }
  }

  // Starts `db_` with what stands in `config_`. The database is empty: migrate(config_) fills it.
  void open() {
    db_ = std::make_unique<db::database>(config_);
    db_->start();
  }

  // Runs work and returns what it returned.
  template <class F>
  auto ask(F work) {
    std::optional<std::invoke_result_t<F&, soci::session&>> out;
    testing::run(io_, [&]() -> awaitable<void> { out = co_await db_->run(work); });
    return std::move(*out);
  }

  void tell(std::function<void(soci::session&)> work) {
    testing::run(io_, [&]() -> awaitable<void> { co_await db_->run(work); });
  }

  // The code of the failure that `work` ends with; empty when it succeeds. Its text is in
  // `problem`.
  std::optional<errc> code_of(std::function<awaitable<void>()> work) {
    try {
      testing::run(io_, work);
    } catch (const failure& e) {
      problem_ = e.what();
      return e.code();
    }
    return std::nullopt;
  }

  asio::io_context io_{1};
  db::config config_;
  std::unique_ptr<db::database> db_;
  std::string problem_;
};

}  // namespace skirmish::testing
