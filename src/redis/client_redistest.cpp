#include "redis/client.hpp"

#include "support/redis_fixture.hpp"

#include <boost/redis/response.hpp>

#include <algorithm>

namespace skirmish {
namespace {

using namespace std::chrono_literals;
using redis::request;
using redis::value;
using string_views = std::vector<std::string_view>;

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

TEST_F(redis_client, errors_inside_a_transaction_stay_in_their_place) {
  run([this]() -> awaitable<void> {
    request transaction;
    transaction.push("MULTI");
    transaction.push("SET", "text", "x");
    transaction.push("INCR", "text");
    transaction.push("INCR", "n");
    transaction.push("EXEC");
    transaction.push("GET", "n");
    const auto replies = co_await redis.exec(std::move(transaction));
    EXPECT_EQ(replies.size(), 6U);
    const auto& results = replies.at(4);
    EXPECT_EQ(results.size(), 3U);
    EXPECT_EQ(results[0].as_string(), "OK");
    EXPECT_TRUE(results[1].is_error());
    EXPECT_EQ(results[2].as_integer(), 1);
    EXPECT_EQ(replies.at(5).as_string(), "1");
    EXPECT_THROW(redis::checked(replies), failure);
  });
}

TEST_F(redis_client, refused_and_aborted_transactions) {
  run([this]() -> awaitable<void> {
    request refused;
    refused.push("MULTI");
    refused.push("NOSUCHCOMMAND");
    refused.push("EXEC");
    const auto errors = co_await redis.exec(std::move(refused));
    EXPECT_TRUE(errors.at(1).is_error());
    EXPECT_TRUE(errors.at(2).as_string().starts_with("EXECABORT")) << errors.at(2).to_text();
    request aborted;
    aborted.push("WATCH", "k");
    aborted.push("SET", "k", "changed");
    aborted.push("MULTI");
    aborted.push("GET", "k");
    aborted.push("EXEC");
    const auto replies = co_await redis.exec(std::move(aborted));
    EXPECT_TRUE(replies.at(4).is_nil());
  });
}

TEST_F(redis_client, maps_sets_and_numbers) {
  run([this]() -> awaitable<void> {
    request pipeline;
    pipeline.push("HSET", "h", "a", 1, "b", "two");
    pipeline.push("HGETALL", "h");
    pipeline.push("SADD", "s", "x");
    pipeline.push("SMEMBERS", "s");
    pipeline.push("ZADD", "z", "1.5", "m");
    pipeline.push("ZSCORE", "z", "m");
    pipeline.push("ZRANGE", "z", 0, -1, "WITHSCORES");
    const auto replies = redis::checked(co_await redis.exec(std::move(pipeline)));
    EXPECT_EQ(replies.at(1).kind(), value::type::map);
    EXPECT_EQ(replies.at(1).find("b")->as_string(), "two");
    EXPECT_EQ(replies.at(3).kind(), value::type::set);
    EXPECT_EQ(replies.at(5).as_double(), 1.5);
    EXPECT_EQ(replies.at(6).to_text(), R"([["m", 1.5]])");
  });
}

TEST_F(redis_client, loads_a_script_again_when_it_was_flushed) {
  const redis::script add{"add", "return redis.call('INCRBY', KEYS[1], ARGV[1])"};
  run([this, &add]() -> awaitable<void> {
    const string_views keys{"n"};
    const string_views args{"5"};
    EXPECT_EQ((co_await redis.eval(add, keys, args)).as_integer(), 5);
    redis::checked(co_await redis.command("SCRIPT", "FLUSH"));
    EXPECT_EQ((co_await redis.eval(add, keys, args)).as_integer(), 10);
    const auto known = co_await redis.command("SCRIPT", "EXISTS", add.sha1());
    EXPECT_EQ(known[0].as_integer(), 1) << "EVAL did not load the script";
  });
}

TEST_F(redis_client, an_error_in_a_script_is_a_value) {
  const redis::script broken{"broken", "return redis.call('INCR', KEYS[1])"};
  run([this, &broken]() -> awaitable<void> {
    redis::checked(co_await redis.command("SET", "text", "x"));
    const string_views keys{"text"};
    const auto reply = co_await redis.eval(broken, keys, {});
    EXPECT_TRUE(reply.is_error());
    EXPECT_THROW(redis::checked(reply), failure);
  });
}

TEST_F(redis_client, nothing_to_do_is_done_at_once) {
  run([this]() -> awaitable<void> {
    const auto replies = co_await redis.exec(request());
    EXPECT_TRUE(replies.empty());
  });
}

TEST_F(redis_client, big_values_and_big_replies) {
  std::string big(16 * 1024 * 1024, '\r');
  for (std::size_t i = 0; i < big.size(); i += 1'001)
    big[i] = static_cast<char>(i * 2654435761U >> 13);
  run([this, &big]() -> awaitable<void> {
    redis::checked(co_await redis.command("SET", "big", big));
    const auto reply = co_await redis.command("GET", "big");
    EXPECT_TRUE(reply.as_string() == big);

    std::vector<int> numbers(100'000);
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<int>(i);
    request fill;
    fill.push_range("RPUSH", "list", numbers);
    fill.push("LRANGE", "list", 0, -1);
    const auto replies = redis::checked(co_await redis.exec(std::move(fill)));
    EXPECT_EQ(replies.at(1).size(), numbers.size());
    EXPECT_EQ(replies.at(1)[99'999].as_integer(), 99'999);
  });
}

TEST_F(redis_client, many_at_once_get_each_their_own_reply) {
  constexpr int count = 5'000;
  int right = 0;
  for (int i = 0; i < count; ++i)
    tasks.spawn("echo", [this, i, &right]() -> awaitable<void> {
      const auto reply = co_await redis.command("ECHO", i);
      if (reply.as_integer() == i) ++right;
    });
  run([&]() -> awaitable<void> {
    const auto all_done = [&] { return right == count; };
    co_await testing::eventually(all_done);
  });
  EXPECT_EQ(redis.stats().in_flight, 0U);
  EXPECT_EQ(redis.stats().in_flight_bytes, 0U);
  EXPECT_EQ(redis.stats().failures, 0U);
  EXPECT_EQ(redis.stats().commands, count + 1U);  // FLUSHALL came first
}

TEST_F(redis_client, is_known_by_name) {
  run([this]() -> awaitable<void> {
    const auto info = co_await redis.command("CLIENT", "INFO");
    EXPECT_NE(info.as_string().find(" name=test "), std::string::npos) << info.as_string();
    EXPECT_EQ(redis.connection(), 1U);
    const auto server = (co_await redis.command("INFO", "server")).as_string();
    EXPECT_EQ(redis.server_process().size(), 40U);
    EXPECT_NE(server.find("run_id:" + redis.server_process()), std::string::npos);
    EXPECT_NE(info.as_string().find(" resp=3"), std::string::npos);
  });
}

TEST_F(redis_client, a_cancelled_caller_ends_silently_and_harms_nobody) {
  task_group callers{io};
  bool went_on = false;
  callers.spawn("caller", [&]() -> awaitable<void> {
    co_await redis.command("INCR", "n");
    went_on = true;
  });
  run([&]() -> awaitable<void> {
    callers.close();
    EXPECT_TRUE(co_await callers.wait(5s));
    const auto reply = co_await redis.command("ECHO", "still in step");
    EXPECT_EQ(reply.as_string(), "still in step");
  });
  EXPECT_FALSE(went_on);
  EXPECT_EQ(redis.stats().in_flight, 0U);
}

TEST_F(redis_client, before_run_it_is_unavailable) {
  redis::client idle{io, testing::shared_redis().config(), "idle"};
  run([&idle]() -> awaitable<void> {
    try {
      co_await idle.command("PING");
      ADD_FAILURE() << "no failure";
    } catch (const failure& e) {
      EXPECT_EQ(e.code(), errc::unavailable);
    }
  });
  EXPECT_EQ(idle.stats().failures, 1U);
}

}  // namespace
}  // namespace skirmish
