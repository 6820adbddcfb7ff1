#include "redis/client.hpp"
#include "support/redis_fixture.hpp"

namespace skirmish {
namespace {

using namespace std::chrono_literals;
using redis::request;
using redis::value;

class redis_client : public testing::redis_fixture {};

TEST_F(redis_client, answers_a_pipeline_in_order_and_errors_are_values) {
  run([this]() -> awaitable<void> {
    request pipeline;
    pipeline.push("SET", "k", "v");
    pipeline.push("INCR", "k");
    pipeline.push("GET", "nothing");
    pipeline.push("GET", "k");
    const auto replies = co_await redis.exec(std::move(pipeline));
    EXPECT_EQ(replies.size(), 4U);
    EXPECT_EQ(replies.at(0).as_string(), "OK");
    EXPECT_TRUE(replies.at(1).is_error());
    EXPECT_TRUE(replies.at(2).is_nil());
    EXPECT_EQ(replies.at(3).as_string(), "v");
    EXPECT_THROW(redis::checked(replies), failure);
  });
}

TEST_F(redis_client, loads_a_script_again_when_it_was_flushed) {
  const redis::script add{"add", "return redis.call('INCRBY', KEYS[1], ARGV[1])"};
  run([this, &add]() -> awaitable<void> {
    const std::vector<std::string_view> keys{"n"};
    const std::vector<std::string_view> args{"5"};
    EXPECT_EQ((co_await redis.eval(add, keys, args)).as_integer(), 5);
    redis::checked(co_await redis.command("SCRIPT", "FLUSH"));
    EXPECT_EQ((co_await redis.eval(add, keys, args)).as_integer(), 10);
  });
}

}  // namespace
}  // namespace skirmish
