#include "players/old_keys.hpp"

#include "support/redis_fixture.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skirmish::players {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

class old_keys_fixture : public testing::redis_fixture {
 protected:
  awaitable<std::vector<std::string>> actions(std::string id) {
    const auto list = co_await redis.command("LRANGE", "actions:" + id, 0, -1);
    co_return list.as_strings();
  }
  redis::key_space keys;
};

TEST_F(old_keys_fixture, last_actions_get_their_name_and_players_called_like_it_stay) {
  run([this]() -> awaitable<void> {
    co_await redis.command("RPUSH", "player:x:actions", "2", "1");
    co_await redis.command("RPUSH", "player:y:actions", "1");
    co_await redis.command("RPUSH", "player:x:actions:actions", "1");  // of x:actions
    co_await redis.command("HSET", "player:x", "hp", 1);
    co_await redis.command("HSET", "player:z:actions", "hp", 1);
    co_await redis.command("RPUSH", "actions:x", "3");  // done since the server started
    co_await move_old_keys(io, redis, keys);
    EXPECT_THAT(co_await actions("x"), ElementsAre("3", "2", "1"));
    EXPECT_THAT(co_await actions("y"), ElementsAre("1"));
    EXPECT_THAT(co_await actions("x:actions"), ElementsAre("1"));
    const auto players = co_await redis.command("KEYS", "player:*");
    EXPECT_THAT(players.as_strings(), UnorderedElementsAre("player:x", "player:z:actions"));
  });
}

TEST_F(old_keys_fixture, it_is_done_once_and_in_one_world) {
  run([this]() -> awaitable<void> {
    const auto world = redis::key_space::of_world("w").value();
    co_await redis.command("RPUSH", "{w}:player:x:actions", "1");
    co_await redis.command("RPUSH", "player:x:actions", "1");
    co_await move_old_keys(io, redis, world);
    const auto moved = co_await redis.command("EXISTS", "{w}:actions:x", "player:x:actions");
    EXPECT_EQ(moved.as_integer(), 2);
    co_await redis.command("RPUSH", "{w}:player:y:actions", "1");
    co_await move_old_keys(io, redis, world);
    const auto left = co_await redis.command("EXISTS", "{w}:player:y:actions");
    EXPECT_EQ(left.as_integer(), 1);
  });
}

}  // namespace
}  // namespace skirmish::players
