#include "db/world.hpp"

#include "db/migrate.hpp"
#include "support/sql_fixture.hpp"

namespace skirmish::db {
namespace {

class world_of_database : public testing::sql_fixture {
 protected:
  // Empty when the world may use the database, else why not.
  std::string refusal(std::string world) {
    std::string why;
    testing::run(io_, [&]() -> awaitable<void> {
      const auto claimed = co_await claim_world(*db_, world);
      if (claimed.has_error()) why = claimed.error().message;
    });
    return why;
  }
};
INSTANTIATE_TEST_SUITE_P(each, world_of_database, testing::every_database(),
                         testing::database_name);

TEST_P(world_of_database, is_that_of_its_first_server) {
  migrate(config_);
  open();
  EXPECT_EQ(refusal("north"), "");
  EXPECT_EQ(refusal("north"), "");
  const auto why = refusal("south");
  EXPECT_NE(why.find("`north`"), std::string::npos) << why;
  EXPECT_NE(why.find("`south`"), std::string::npos) << why;
  EXPECT_NE(refusal("").find("the default world"), std::string::npos);
  EXPECT_NE(refusal("North"), "") << "names are compared exactly";
  testing::run(io_, [&]() -> awaitable<void> { co_await replace_world(*db_, "south"); });
  EXPECT_EQ(refusal("south"), "");
  EXPECT_NE(refusal("north"), "");
}

TEST_P(world_of_database, may_be_the_default_one) {
  migrate(config_);
  open();
  EXPECT_EQ(refusal(""), "");
  EXPECT_EQ(refusal(""), "");
  EXPECT_NE(refusal("north"), "");
}

}  // namespace
}  // namespace skirmish::db
