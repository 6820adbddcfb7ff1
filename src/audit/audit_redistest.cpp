#include "audit/audit.hpp"

#include "db/migrate.hpp"
#include "support/redis_server.hpp"
#include "support/sql_fixture.hpp"

#include <fmt/format.h>

namespace skirmish::audit {
namespace {

using namespace std::chrono_literals;

class audit_sql : public testing::sql_fixture {};
INSTANTIATE_TEST_SUITE_P(each, audit_sql, testing::every_database(), testing::database_name);

// A year of an attacker's failed logins in one statement would keep what is noted now waiting.
TEST_P(audit_sql, old_changes_are_dropped_some_at_a_time) {
  migrate(config_);
  open();
  const system_clock time;
  const auto now_ms = time.now().time_since_epoch().count();
  tell([now_ms](soci::session& sql) {
    soci::transaction all(sql);
    for (int i = 0; i < 2'300; ++i) {
      const auto at = now_ms - (i < 300 ? 0 : 7'200'000) + i;
      const auto id = fmt::format("{:015}-{:08}", at, i);
      sql << "INSERT INTO audit_log (audit_id, at, key_id, method, route, target, request_id, "
             "address) VALUES (:id, :at, 'k', 'PUT', '/x', '{}', 'r', 'a')",
          soci::use(id), soci::use(at);
    }
    all.commit();
  });
  redis::client unused(io_, testing::shared_redis().config(), "unused");
  const redis::key_space keys;
  log changes(unused, *db_, keys, time);
  const auto count = [](soci::session& sql) {
    int found = 0;
    sql << "SELECT COUNT(*) FROM audit_log", soci::into(found);
    return found;
  };
  std::vector<int> seen;
  testing::run(io_, [&]() -> awaitable<void> {
    bool has_more = true;
    while (has_more && seen.size() < 10) {
      has_more = co_await changes.drop_old(1h);
      const int left = co_await db_->run(count);
      seen.push_back(left);
    }
  });
  EXPECT_EQ(seen, (std::vector<int>{1'300, 300, 300}));
}

}  // namespace
}  // namespace skirmish::audit
