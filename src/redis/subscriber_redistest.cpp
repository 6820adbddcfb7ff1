#include "redis/subscriber.hpp"

#include "support/redis_fixture.hpp"

namespace skirmish {
namespace {

using namespace std::chrono_literals;
using redis::listener;
using redis::subscriber;
using redis::subscription;

// Publishes with the fixture's client and listens with a subscriber on the same server.
class redis_subscriber : public testing::redis_fixture {
 protected:
  void SetUp() override {
    redis_fixture::SetUp();
    tasks.spawn("subscriber", [this] { return messages.run(); });
  }

  void TearDown() override {
    messages.stop();
    redis_fixture::TearDown();
  }

  // Remembers "channel=payload" in `seen`.
  listener remember() {
    return {[this](std::string_view channel, std::string_view payload) {
      seen.push_back(std::string(channel) + "=" + std::string(payload));
    }};
  }

  awaitable<void> publish(std::string channel, std::string payload) {
    redis::checked(co_await redis.command("PUBLISH", channel, payload));
  }

  awaitable<std::int64_t> subscribers_of(std::string channel) {
    const auto reply = co_await redis.command("PUBSUB", "NUMSUB", channel);
    co_return reply[1].as_integer().value_or(-1);
  }

  awaitable<void> until_seen(std::size_t count) {
    const auto enough = [this, count] { return seen.size() >= count; };
    co_await testing::eventually(enough);
  }

  subscriber messages{io, testing::shared_redis().config(), "subscriber"};
  std::vector<std::string> seen;
};

TEST_F(redis_subscriber, a_confirmed_subscription_misses_nothing) {
  run([this]() -> awaitable<void> {
    for (int i = 0; i < 50; ++i) {
      const auto channel = "c" + std::to_string(i);
      auto handle = messages.subscribe(channel, remember());
      co_await handle.confirmed(20s);
      co_await publish(channel, "x");
      co_await until_seen(static_cast<std::size_t>(i) + 1);
      EXPECT_EQ(seen.back(), channel + "=x");
    }
  });
}

TEST_F(redis_subscriber, listeners_of_a_channel_share_one_subscription) {
  run([this]() -> awaitable<void> {
    auto first = messages.subscribe("general", remember());
    auto second = messages.subscribe("general", remember());
    co_await first.confirmed(20s);
    co_await second.confirmed(20s);
    EXPECT_EQ(co_await subscribers_of("general"), 1);
    co_await publish("general", "both");
    co_await until_seen(2);

    first.end();
    co_await publish("general", "one");
    co_await until_seen(3);
    EXPECT_EQ(co_await subscribers_of("general"), 1);

    second = {};
    const auto unsubscribed = [this]() -> awaitable<bool> {
      co_return co_await subscribers_of("general") == 0;
    };
    co_await testing::eventually_async(unsubscribed);
    EXPECT_EQ(seen.size(), 3U);
  });
}

TEST_F(redis_subscriber, patterns) {
  run([this]() -> awaitable<void> {
    auto pattern = messages.subscribe_pattern("chat:*", remember());
    auto channel = messages.subscribe("chat:general", remember());
    co_await pattern.confirmed(20s);
    co_await channel.confirmed(20s);
    co_await publish("chat:team", "a");
    co_await until_seen(1);
    EXPECT_EQ(seen.at(0), "chat:team=a");
    co_await publish("chat:general", "b");
    co_await until_seen(3);
    pattern.end();
    const auto unsubscribed = [this]() -> awaitable<bool> {
      co_return (co_await redis.command("PUBSUB", "NUMPAT")).as_integer() == 0;
    };
    co_await testing::eventually_async(unsubscribed);
  });
}

TEST_F(redis_subscriber, all_is_restored_after_a_lost_connection) {
  int told = 0;
  run([this, &told]() -> awaitable<void> {
    auto counting = remember();
    counting.on_reconnected = [&told] { ++told; };
    auto channel = messages.subscribe("news", counting);
    auto pattern = messages.subscribe_pattern("n*s", counting);
    auto ended = messages.subscribe("gone", remember());
    co_await channel.confirmed(20s);
    co_await pattern.confirmed(20s);
    co_await ended.confirmed(20s);
    ended.end();
    for (int round = 1; round <= 3; ++round) {
      redis::checked(co_await redis.command("CLIENT", "KILL", "TYPE", "pubsub"));
      const auto all_told = [&told, round] { return told == 2 * round; };
      co_await testing::eventually(all_told);
      co_await publish("news", "again");
      co_await until_seen(2 * static_cast<std::size_t>(round));
    }
    EXPECT_EQ(co_await subscribers_of("gone"), 0);
    EXPECT_EQ(told, 6);
  });
}

TEST_F(redis_subscriber, who_joins_during_an_outage_is_subscribed_and_missed_nothing) {
  int told = 0;
  testing::redis_server server;
  subscriber other{io, server.config(), "other"};
  task_group others{io};
  others.spawn("other", [&other] { return other.run(); });
  run([&]() -> awaitable<void> {
    auto early = other.subscribe("c", remember());
    co_await early.confirmed(20s);
    server.kill();
    const auto lost = [&] { return !other.connected(); };
    co_await testing::eventually(lost);
    auto counting = remember();
    counting.on_reconnected = [&told] { ++told; };
    auto late = other.subscribe("c", counting);
    bool refused = false;
    try {
      co_await late.confirmed(50ms);
    } catch (const failure& e) {
      refused = e.code() == errc::unavailable;
    }
    EXPECT_TRUE(refused) << "a subscription was confirmed without a server";
    server.start();
    co_await late.confirmed(20s);
    EXPECT_EQ(told, 0);
    other.stop();
    others.close();
    EXPECT_TRUE(co_await others.wait(20s));
  });
}

TEST_F(redis_subscriber, ending_and_subscribing_again_at_once) {
  run([this]() -> awaitable<void> {
    auto handle = messages.subscribe("c", remember());
    co_await handle.confirmed(20s);
    for (int i = 0; i < 20; ++i) {
      handle.end();
      if (i % 2 == 0) co_await testing::pause(0ms);  // lets the UNSUBSCRIBE go out, or not
      handle = messages.subscribe("c", remember());
    }
    co_await handle.confirmed(20s);
    co_await publish("c", "once");
    co_await until_seen(1);
    EXPECT_EQ(co_await subscribers_of("c"), 1);
    EXPECT_EQ(seen.size(), 1U);
  });
}

TEST_F(redis_subscriber, callbacks_may_end_and_add_subscriptions) {
  run([this]() -> awaitable<void> {
    subscription self;
    subscription victim;
    subscription added;
    auto& io_messages = messages;
    self = messages.subscribe("c", {[&](std::string_view, std::string_view) {
                                seen.emplace_back("self");
                                self.end();
                                victim.end();
                                added = io_messages.subscribe("c", remember());
                              }});
    victim = messages.subscribe("c", remember());
    co_await victim.confirmed(20s);
    co_await publish("c", "first");
    co_await until_seen(1);
    EXPECT_EQ(seen, std::vector<std::string>{"self"});
    co_await publish("c", "second");
    co_await until_seen(2);
    EXPECT_EQ(seen.back(), "c=second");
  });
}

TEST_F(redis_subscriber, a_callback_that_throws_harms_nobody) {
  run([this]() -> awaitable<void> {
    auto bad = messages.subscribe(
        "c", {[](std::string_view, std::string_view) { throw std::runtime_error("bad"); }});
    auto good = messages.subscribe("c", remember());
    co_await good.confirmed(20s);
    co_await publish("c", "1");
    co_await publish("c", "2");
    co_await until_seen(2);
  });
}

TEST_F(redis_subscriber, a_flood_arrives_whole_and_in_order) {
  constexpr int count = 20'000;
  run([this]() -> awaitable<void> {
    auto handle = messages.subscribe("c", remember());
    co_await handle.confirmed(20s);
    for (int batch = 0; batch < count; batch += 1'000) {
      redis::request many;
      for (int i = batch; i < batch + 1'000; ++i) many.push("PUBLISH", "c", i);
      redis::checked(co_await redis.exec(std::move(many)));
    }
    co_await until_seen(count);
    for (int i = 0; i < count; ++i)
      EXPECT_EQ(seen[static_cast<std::size_t>(i)], "c=" + std::to_string(i));
  });
}

TEST_F(redis_subscriber, many_channels) {
  run([this]() -> awaitable<void> {
    std::vector<subscription> handles;
    for (int i = 0; i < 2'500; ++i)
      handles.push_back(messages.subscribe("player:" + std::to_string(i), remember()));
    co_await handles.back().confirmed(20s);
    const auto all = [this]() -> awaitable<bool> {
      co_return (co_await redis.command("PUBSUB", "CHANNELS")).size() == 2'500;
    };
    co_await testing::eventually_async(all);
    handles.clear();
    const auto none = [this]() -> awaitable<bool> {
      co_return (co_await redis.command("PUBSUB", "CHANNELS")).size() == 0;
    };
    co_await testing::eventually_async(none);
  });
}

TEST(redis_subscription, may_outlive_its_subscriber) {
  asio::io_context io{1};
  subscription handle;
  {
    subscriber gone{io, testing::shared_redis().config(), "gone"};
    handle = gone.subscribe("c", {[](std::string_view, std::string_view) {}});
    EXPECT_TRUE(handle);
  }
  handle.end();
  EXPECT_FALSE(handle);
}

}  // namespace
}  // namespace skirmish
