// Servers that die, freeze, and are cut off in the middle of a reply.
#include "core/run_loop.hpp"
#include "redis/client.hpp"
#include "support/redis_fixture.hpp"
#include "testing/relay.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace skirmish {
namespace {

using namespace std::chrono_literals;
using redis::client;
using redis::request;
using redis::value;
using std::chrono::steady_clock;

// A client of a server of the test's own, which can be treated badly.
class redis_outage : public ::testing::Test {
 protected:
  // A new client, connected.
  client& redis(redis::connection_config config) {
    auto& added = *clients_.emplace_back(std::make_unique<client>(io, std::move(config), "test"));
    tasks.spawn("redis", [&added] { return added.run(); });
    run([&added]() -> awaitable<void> { co_await added.wait_connected(10s); });
    return added;
  }

  void TearDown() override {
    for (const auto& one : clients_) one->stop();
    tasks.close();
    bool ended = false;
    run([this, &ended]() -> awaitable<void> { ended = co_await tasks.wait(10s); });
    EXPECT_TRUE(ended) << "a task did not end";
  }

  void run(const std::function<awaitable<void>()>& work) { testing::run(io, work); }

  asio::io_context io{1};
  task_group tasks{io};
  testing::redis_server server;
  std::vector<std::unique_ptr<client>> clients_;
};

// A command's deadline where something else shall end it: long before, and also on a busy machine.
constexpr auto patience = 20s;

// The failure of a command, or nothing.
awaitable<std::optional<errc>> failure_of(client& redis, std::string_view command,
                                          std::string_view argument) {
  try {
    co_await redis.command(command, argument);
  } catch (const failure& e) {
    co_return e.code();
  }
  co_return std::nullopt;
}

redis::connection_config through(const cli::relay& proxy) {
  redis::connection_config config;
  config.address.port = proxy.port();
  config.command_timeout = patience;
  config.health_check_interval = patience;
  return config;
}

TEST_F(redis_outage, a_killed_server_fails_fast_and_comes_back_by_itself) {
  auto config = server.config();
  config.command_timeout = patience;
  auto& redis = this->redis(config);
  server.kill();
  run([&]() -> awaitable<void> {
    const auto lost = [&] { return !redis.connected(); };
    co_await testing::eventually(lost);
    const auto begin = steady_clock::now();
    EXPECT_EQ(co_await failure_of(redis, "INCR", "n"), errc::unavailable);
    EXPECT_LT(steady_clock::now() - begin, patience / 2) << "it did not fail fast";
    EXPECT_EQ(redis.connection(), 0U);
  });
  server.start();
  run([&]() -> awaitable<void> {
    co_await redis.wait_connected(20s);
    EXPECT_EQ((co_await redis.command("INCR", "n")).as_integer(), 1);
  });
  EXPECT_EQ(redis.stats().connections, 2U);
}

TEST_F(redis_outage, a_request_that_the_server_dies_on_is_unknown) {
  auto config = server.config();
  config.command_timeout = patience;
  config.health_check_interval = patience;
  auto& redis = this->redis(config);
  server.freeze();
  run([&]() -> awaitable<void> {
    std::optional<errc> code;
    tasks.spawn("caller",
                [&]() -> awaitable<void> { code = co_await failure_of(redis, "INCR", "n"); });
    const auto sent = [&] { return redis.stats().in_flight == 1; };
    co_await testing::eventually(sent);
    co_await testing::pause(20ms);  // lets it be written
    server.kill();
    const auto begin = steady_clock::now();
    const auto answered = [&] { return code.has_value(); };
    co_await testing::eventually(answered);
    EXPECT_EQ(code, errc::deadline_exceeded);
    EXPECT_LT(steady_clock::now() - begin, patience / 2) << "the loss was not noticed at once";
  });
}

TEST_F(redis_outage, a_client_that_goes_ends_its_callers_first) {
  constexpr int count = 1'000;
  auto config = server.config();
  config.command_timeout = patience;
  config.health_check_interval = patience;
  auto going = std::make_unique<client>(io, config, "going");
  tasks.spawn("redis", [&client = *going] { return client.run(); });
  run([&]() -> awaitable<void> { co_await going->wait_connected(10s); });
  server.freeze();
  std::vector<errc> ended;
  for (int i = 0; i < count; ++i)
    tasks.spawn("caller", [&]() -> awaitable<void> {
      const auto code = co_await failure_of(*going, "INCR", "n");
      ended.push_back(code.value_or(errc::internal));
    });
  run([&]() -> awaitable<void> {
    const auto sent = [&] { return going->stats().in_flight == count; };
    co_await testing::eventually(sent);
    request one;
    one.push("PING");
    const redis::exec_options quick{100ms};
    std::optional<errc> why;
    try {
      co_await going->exec(std::move(one), quick);
    } catch (const failure& e) {
      why = e.code();
    }
    EXPECT_EQ(why, errc::deadline_exceeded);
    const auto begin = steady_clock::now();
    going.reset();
    const auto all = [&] { return ended.size() == count; };
    co_await testing::eventually(all);
    EXPECT_LT(steady_clock::now() - begin, patience / 2) << "they waited for their own deadlines";
    const bool told =
        std::ranges::all_of(ended, [](errc code) { return code == errc::deadline_exceeded; });
    EXPECT_TRUE(told);
  });
  server.thaw();
}

TEST_F(redis_outage, callers_may_be_dropped_with_the_loop_after_the_client) {
  event_loop loop{1};
  auto config = server.config();
  config.command_timeout = patience;
  {
    task_group calls(loop);
    client going(loop, config, "going");
    calls.spawn("redis", [&going] { return going.run(); });
    testing::run(loop, [&]() -> awaitable<void> { co_await going.wait_connected(10s); });
    server.freeze();
    for (int i = 0; i < 100; ++i)
      calls.spawn("caller", [&]() -> awaitable<void> { co_await failure_of(going, "INCR", "n"); });
    testing::run(loop, [&]() -> awaitable<void> {
      const auto sent = [&] { return going.stats().in_flight == 100; };
      co_await testing::eventually(sent);
    });
  }
  loop.drop_waiting();
  server.thaw();
}

TEST_F(redis_outage, a_frozen_server_meets_the_deadline_and_thaws_in_step) {
  auto config = server.config();
  config.command_timeout = 200ms;
  config.health_check_interval = patience;
  auto& redis = this->redis(config);
  server.freeze();
  run([&]() -> awaitable<void> {
    for (int i = 0; i < 3; ++i) {
      const auto begin = steady_clock::now();
      EXPECT_EQ(co_await failure_of(redis, "INCR", "n"), errc::deadline_exceeded);
      EXPECT_GE(steady_clock::now() - begin, 200ms);
      EXPECT_LT(steady_clock::now() - begin, 5s);
    }
  });
  const auto id = redis.connection();
  server.thaw();
  run([&]() -> awaitable<void> {
    for (int i = 0; i < 100; ++i) {
      const auto reply = co_await redis.command("ECHO", i);
      EXPECT_EQ(reply.as_integer(), i) << "replies are out of step";
    }
    // What timed out was executed nevertheless: "unknown" is the right word.
    EXPECT_EQ((co_await redis.command("GET", "n")).as_integer(), 3);
    EXPECT_EQ(redis.connection(), id) << "a deadline tore the connection down";
  });
}

TEST_F(redis_outage, a_server_frozen_for_long_is_left_and_found_again) {
  auto config = server.config();
  config.health_check_interval = 300ms;
  config.command_timeout = patience;
  auto& redis = this->redis(config);
  server.freeze();
  run([&]() -> awaitable<void> {
    const auto begin = steady_clock::now();
    EXPECT_EQ(co_await failure_of(redis, "INCR", "n"), errc::deadline_exceeded);
    EXPECT_LT(steady_clock::now() - begin, patience / 2) << "the health check did not notice";
    EXPECT_EQ(co_await failure_of(redis, "INCR", "n"), errc::unavailable);
  });
  server.thaw();
  run([&]() -> awaitable<void> {
    co_await redis.wait_connected(20s);
    for (int i = 0; i < 100; ++i) EXPECT_EQ((co_await redis.command("ECHO", i)).as_integer(), i);
  });
}

TEST_F(redis_outage, a_late_reply_reaches_nobody_else) {
  cli::relay proxy(server.socket());
  auto& redis = this->redis(through(proxy));
  std::optional<errc> impatient;
  std::optional<std::string> patient;
  run([&]() -> awaitable<void> {
    proxy.hold_replies();
    tasks.spawn("impatient", [&]() -> awaitable<void> {
      request echo;
      echo.push("ECHO", "late");
      const redis::exec_options soon{.timeout = 50ms};
      try {
        co_await redis.exec(std::move(echo), soon);
      } catch (const failure& e) {
        impatient = e.code();
      }
    });
    tasks.spawn("patient", [&]() -> awaitable<void> {
      patient = (co_await redis.command("ECHO", "patient")).as_string();
    });
    const auto timed_out = [&] { return impatient.has_value(); };
    co_await testing::eventually(timed_out);
    proxy.release_replies();
    const auto answered = [&] { return patient.has_value(); };
    co_await testing::eventually(answered);
    EXPECT_EQ((co_await redis.command("ECHO", "next")).as_string(), "next");
  });
  EXPECT_EQ(impatient, errc::deadline_exceeded);
  EXPECT_EQ(patient, "patient");
  EXPECT_EQ(proxy.accepted(), 1U) << "one request's deadline cost the others their connection";
}

TEST_F(redis_outage, a_reply_cut_in_the_middle_is_lost_alone) {
  cli::relay proxy(server.socket());
  auto& redis = this->redis(through(proxy));
  run([&]() -> awaitable<void> {
    const std::string big(100'000, 'x');
    redis::checked(co_await redis.command("SET", "big", big));
    for (const auto cut_after : {0, 1, 5, 9, 50'000, 99'999, 100'009}) {
      proxy.cut_replies_after(cut_after);
      const auto begin = steady_clock::now();
      EXPECT_EQ(co_await failure_of(redis, "GET", "big"), errc::deadline_exceeded) << cut_after;
      EXPECT_LT(steady_clock::now() - begin, patience / 2) << "the cut was not noticed at once";
      co_await redis.wait_connected(20s);
      EXPECT_EQ((co_await redis.command("ECHO", cut_after)).as_integer(), cut_after);
    }
  });
}

TEST_F(redis_outage, replies_in_tiny_pieces_are_whole) {
  cli::relay proxy(server.socket());
  proxy.fragment_replies(1);
  auto& redis = this->redis(through(proxy));
  run([&]() -> awaitable<void> {
    request pipeline;
    pipeline.push("HSET", "h", "a", 1, "b", "two");
    pipeline.push("HGETALL", "h");
    pipeline.push("GET", "nothing");
    pipeline.push("ECHO", "a\r\nb");
    const auto replies = co_await redis.exec(std::move(pipeline));
    EXPECT_EQ(replies.at(1).to_text(), R"(["a", "1", "b", "two"])");
    EXPECT_TRUE(replies.at(2).is_nil());
    EXPECT_EQ(replies.at(3).as_string(), "a\r\nb");
  });
}

TEST_F(redis_outage, a_killed_connection_is_replaced) {
  auto& redis = this->redis(server.config());
  auto& killer = this->redis(server.config());
  run([&]() -> awaitable<void> {
    for (int round = 0; round < 5; ++round) {
      const auto before = redis.connection();
      const auto id = (co_await redis.command("CLIENT", "ID")).as_integer().value_or(0);
      EXPECT_EQ((co_await killer.command("CLIENT", "KILL", "ID", id)).as_integer(), 1);
      const auto replaced = [&] { return redis.connected() && redis.connection() != before; };
      co_await testing::eventually(replaced);
      EXPECT_EQ((co_await redis.command("ECHO", round)).as_integer(), round);
    }
  });
}

// Numbers of CLIENT ID start again with each server process, so strangers get those of the past.
TEST_F(redis_outage, only_the_clients_own_lost_connection_is_killed) {
  auto& redis = this->redis(server.config());
  std::string first_id;
  run([&]() -> awaitable<void> {
    first_id = (co_await redis.command("CLIENT", "ID")).as_string();
    EXPECT_EQ(redis.connection(), 1U);
  });
  server.restart();
  run([&]() -> awaitable<void> {
    const auto again = [&] { return redis.connection() == 2; };
    co_await testing::eventually(again);
  });
  // Until one of them has the number that the client's first connection had.
  std::vector<client*> strangers;
  run([&]() -> awaitable<void> { co_await redis.command("SET", "x", "y"); });
  for (int i = 0; i < 10; ++i) strangers.push_back(&this->redis(server.config()));
  run([&]() -> awaitable<void> {
    co_await redis.kill_connection(1);
    for (auto* one : strangers) {
      EXPECT_EQ((co_await one->command("PING")).as_string(), "PONG");
      EXPECT_EQ(one->connection(), 1U) << "a stranger was killed";
    }
    EXPECT_EQ(redis.connection(), 2U);
  });
}

TEST_F(redis_outage, what_a_lost_connection_sent_is_not_executed_after_it_was_killed) {
  cli::relay proxy(server.socket());
  auto config = through(proxy);
  auto& redis = this->redis(config);
  auto& other = this->redis(server.config());
  run([&]() -> awaitable<void> {
    // The server's end stays open: the client alone believes that it is lost.
    proxy.abandon();
    const auto again = [&] { return redis.connection() == 2; };
    co_await testing::eventually(again);
    const auto connections = [&]() -> awaitable<std::int64_t> {
      const auto list = (co_await other.command("CLIENT", "LIST")).as_string();
      std::int64_t count = 0;
      for (auto at = list.find(" name=test"); at != std::string::npos;
           at = list.find(" name=test", at + 1))
        ++count;
      co_return count;
    };
    const auto before = co_await connections();
    EXPECT_EQ(before, 3);
    co_await redis.kill_connection(1);
    const auto after = co_await connections();
    EXPECT_EQ(after, 2);
    EXPECT_EQ(redis.connection(), 2U);
  });
}

TEST_F(redis_outage, a_replica_is_left_and_its_master_is_found_again) {
  auto config = server.config();
  config.health_check_interval = patience;
  auto& writer = this->redis(config);
  auto& reader = this->redis(config);
  server.tell(fmt::format("REPLICAOF 127.0.0.1 {}", testing::free_port()));
  run([&]() -> awaitable<void> {
    const auto begin = steady_clock::now();
    const auto reply = co_await writer.command("SET", "k", "v");
    EXPECT_TRUE(reply.as_string().starts_with("READONLY")) << reply.to_text();
    const auto left = [&] { return !writer.connected(); };
    co_await testing::eventually(left);
    // One that only reads looks at its server's role now and then.
    const auto left_too = [&] { return !reader.connected(); };
    co_await testing::eventually(left_too);
    EXPECT_LT(steady_clock::now() - begin, patience);
    EXPECT_EQ(co_await failure_of(writer, "GET", "k"), errc::unavailable);
  });
  server.tell("REPLICAOF NO ONE");
  run([&]() -> awaitable<void> {
    co_await writer.wait_connected(20s);
    co_await reader.wait_connected(20s);
    redis::checked(co_await writer.command("SET", "k", "v"));
  });
}

TEST_F(redis_outage, too_much_outstanding_is_refused_at_once) {
  auto config = server.config();
  config.outstanding_limit_requests = 3;
  config.outstanding_limit_bytes = 10'000;
  config.command_timeout = 2s;
  config.health_check_interval = patience;
  auto& redis = this->redis(config);
  server.freeze();
  run([&]() -> awaitable<void> {
    const std::string big(10'000, 'x');
    EXPECT_EQ(co_await failure_of(redis, "ECHO", big), errc::too_large);
    int unknown = 0;
    for (int i = 0; i < 3; ++i)
      tasks.spawn("filler", [&]() -> awaitable<void> {
        if (co_await failure_of(redis, "INCR", "n") == errc::deadline_exceeded) ++unknown;
      });
    const auto full = [&] { return redis.stats().in_flight == 3; };
    co_await testing::eventually(full);
    const auto begin = steady_clock::now();
    EXPECT_EQ(co_await failure_of(redis, "INCR", "n"), errc::unavailable);
    EXPECT_LT(steady_clock::now() - begin, 1s) << "it waited";
    const auto drained = [&] { return unknown == 3; };
    co_await testing::eventually(drained);
    server.thaw();
    EXPECT_EQ((co_await redis.command("GET", "n")).as_integer(), 3)
        << "a refused request was executed";
  });
}

TEST_F(redis_outage, while_the_server_loads_its_data_it_is_not_connected) {
  testing::redis_server slow({.arguments = {"--rdbcompression", "no"}});
  auto& redis = this->redis(slow.config());
  run([&]() -> awaitable<void> {
    const std::string kilobyte(1'024, 'x');
    request fill;
    for (int i = 0; i < 1'000; ++i) fill.push("SET", i, kilobyte);
    fill.push("SAVE");
    redis::checked(co_await redis.exec(std::move(fill)));
  });
  slow.kill();
  // Twenty milliseconds a key, and clients are served between any two.
  slow.start({"--key-load-delay", "20000", "--loading-process-events-interval-bytes", "1024"});
  run([&]() -> awaitable<void> {
    const auto lost = [&] { return !redis.connected(); };
    co_await testing::eventually(lost);
    const auto says_loading = [&]() -> awaitable<bool> {
      try {
        co_await redis.command("DBSIZE");
      } catch (const failure& e) {
        co_return std::string_view(e.what()).find("LOADING") != std::string_view::npos;
      }
      co_return false;
    };
    co_await testing::eventually_async(says_loading);
    slow.tell("CONFIG SET key-load-delay 0");
    co_await redis.wait_connected(20s);
    EXPECT_EQ((co_await redis.command("DBSIZE")).as_integer(), 1'000)
        << "commands were let through while the data was being loaded";
  });
}

}  // namespace
}  // namespace skirmish
