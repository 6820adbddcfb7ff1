// The schema on each kind of database.
#include "db/migrate.hpp"

#include "support/sql_fixture.hpp"

#include <gmock/gmock.h>

#include <array>
#include <mutex>
#include <thread>

namespace skirmish::db {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class migrate_test : public testing::sql_fixture {
 protected:
  [[nodiscard]] std::vector<migration> files(const std::vector<migration_file>& texts) const {
    return migrations_from(texts, config_.kind);
  }

  // The code and text of the failure that migrating with these files ends with.
  std::pair<errc, std::string> failing(const std::vector<migration_file>& texts) {
    try {
      migrate(config_, files(texts));
    } catch (const failure& e) {
      return {e.code(), e.what()};
    }
    return {errc::not_found, "nothing failed"};
  }

  long long number(const std::string& query) { return testing::query_number(config_, query); }
};

INSTANTIATE_TEST_SUITE_P(each, migrate_test, testing::every_database(), testing::database_name);

constexpr migration_file first = {"0001_first.sql", "CREATE TABLE IF NOT EXISTS a (x INTEGER);"};
constexpr migration_file second = {
    "0002_second.sql", "ALTER TABLE a ADD COLUMN y INTEGER; CREATE INDEX a_y ON a (y);"};

TEST_P(migrate_test, applies_what_is_pending_once) {
  EXPECT_THAT(pending_migrations(config_, files({first})), SizeIs(1));
  EXPECT_THAT(migrate(config_, files({first})), SizeIs(1));
  EXPECT_THAT(migrate(config_, files({first})), IsEmpty());
  EXPECT_THAT(pending_migrations(config_, files({first, second})), SizeIs(1));
  const auto applied = migrate(config_, files({first, second}));
  ASSERT_THAT(applied, SizeIs(1));
  EXPECT_EQ(applied[0].name, "second");
  EXPECT_EQ(number("SELECT count(y) FROM a"), 0);
  EXPECT_EQ(number("SELECT max(version) FROM schema_migrations"), 2);
}

TEST_P(migrate_test, looking_at_what_is_pending_changes_nothing) {
  pending_migrations(config_, files({first}));
  EXPECT_ANY_THROW(number("SELECT count(*) FROM schema_migrations"));
}

TEST_P(migrate_test, many_at_once_apply_each_file_once) {
  std::mutex mutex;
  std::size_t applied = 0;
  std::array<std::thread, 6> threads;
  for (auto& thread : threads)
    thread = std::thread([&] {
      try {
        const auto mine = migrate(config_).size();
        const std::lock_guard lock(mutex);
        applied += mine;
      } catch (const std::exception& e) {
        const std::lock_guard lock(mutex);
        problem_ = e.what();
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(problem_, "");
  EXPECT_EQ(applied, embedded_migrations(config_.kind).size());
}

TEST_P(migrate_test, a_changed_file_is_refused) {
  migrate(config_, files({first}));
  const auto [code, text] = failing({{"0001_first.sql", "CREATE TABLE b (x INTEGER);"}});
  EXPECT_EQ(code, errc::conflict);
  EXPECT_THAT(text, HasSubstr("migration 1 (first)"));
  EXPECT_ANY_THROW(number("SELECT count(*) FROM b"));
}

TEST_P(migrate_test, a_newer_database_is_refused) {
  migrate(config_, files({first, second}));
  const auto [code, text] = failing({first});
  EXPECT_EQ(code, errc::conflict);
  EXPECT_THAT(text, HasSubstr("newer"));
  EXPECT_THROW(pending_migrations(config_, files({first})), failure);
}

TEST_P(migrate_test, a_file_that_failed_halfway_can_be_run_again) {
  migrate(config_, files({first}));
  const std::string broken = std::string(second.sql) + " INSERT INTO no_such_table VALUES (1);";
  const auto [code, text] = failing({first, {"0002_second.sql", broken}});
  EXPECT_EQ(code, errc::internal);
  EXPECT_THAT(text, HasSubstr("migration 2 (second)"));
  EXPECT_EQ(number("SELECT max(version) FROM schema_migrations"), 1);
  EXPECT_THAT(migrate(config_, files({first, second})), SizeIs(1));
  EXPECT_EQ(number("SELECT count(y) FROM a"), 0);
}

TEST_P(migrate_test, an_existing_table_of_constants_is_left_alone) {
  testing::execute_sql(
      config_, "CREATE TABLE constants (Name VARCHAR(40), Value INTEGER, Description TEXT)");
  testing::execute_sql(config_, "INSERT INTO constants VALUES ('RateExp', 3, 'experience')");
  migrate(config_);
  EXPECT_EQ(number("SELECT Value FROM constants WHERE Name = 'RateExp'"), 3);
  EXPECT_EQ(number("SELECT count(*) FROM players"), 0);
}

TEST_P(migrate_test, a_foreign_table_of_players_is_noticed) {
  testing::execute_sql(config_, "CREATE TABLE players (id INTEGER, email VARCHAR(100))");
  try {
    migrate(config_);
    FAIL() << "nothing failed";
  } catch (const failure& e) {
    EXPECT_EQ(e.code(), errc::internal);
    EXPECT_THAT(e.what(), HasSubstr("player_id"));
  }
}

TEST_P(migrate_test, the_schema_takes_what_it_is_for) {
  migrate(config_);
  const std::string name = "J\xC3\xB6rg \xF0\x9F\x97\xA1\xEF\xB8\x8F";
  testing::execute_sql(config_,
                       "INSERT INTO players (player_id, name, created_at, updated_at) "
                       "VALUES ('p', '" +
                           name + "', 1795230371028, 1795230371028)");
  testing::execute_sql(config_,
                       "INSERT INTO players (player_id, name, created_at, updated_at) "
                       "VALUES ('P', 'other', 1, 1)");
  testing::execute_sql(config_,
                       "INSERT INTO levels (level_id, name, description, created_at, updated_at) "
                       "VALUES ('l', 'Dust', '', 1, 1)");
  testing::execute_sql(config_, "INSERT INTO constants (Name, Value) VALUES ('RateExp', 1.5)");
  testing::execute_sql(config_,
                       "INSERT INTO api_keys (key_id, role, label, key_hash, created_at) "
                       "VALUES ('k', 'admin', 'first', 'hash', 1)");
  EXPECT_EQ(
      number("SELECT count(*) FROM players WHERE name = '" + name +
             "' AND level = 1 AND version = 1 AND email IS NULL AND created_at = 1795230371028"),
      1);
  EXPECT_EQ(number("SELECT count(*) FROM levels WHERE difficulty = 'Medium'"), 1);
  EXPECT_EQ(number("SELECT count(*) FROM constants WHERE Value = 1.5 AND Description = ''"), 1);
  EXPECT_EQ(number("SELECT count(*) FROM api_keys WHERE revoked_at IS NULL"), 1);
}

TEST(migrate, a_database_that_cannot_be_opened_is_unavailable) {
  db::config config;
  config.path = "/no/such/directory/skirmish.db";
  try {
    migrate(config);
    FAIL() << "nothing failed";
  } catch (const failure& e) {
    EXPECT_EQ(e.code(), errc::unavailable);
    EXPECT_THAT(e.what(), HasSubstr("sqlite:///no/such/directory/skirmish.db"));
  }
}

}  // namespace
}  // namespace skirmish::db
