#include "interactions/committer.hpp"

#include "interactions/interactions.hpp"
#include "support/redis_fixture.hpp"

#include <boost/json/parse.hpp>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <stdexcept>
#include <utility>

namespace skirmish::interactions {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

const http::principal a_server{http::role::server, "k"};

awaitable<std::vector<std::string>> nobody(std::vector<std::string> ids) { co_return ids; }

// Fails once when it is told to.
class faulty_clock final : public clock {
 public:
  explicit faulty_clock(const clock& real) : real_(real) {}
  [[nodiscard]] timestamp now() const override {
    if (std::exchange(fails_, false)) throw std::runtime_error("the clock fell down");
    return real_.now();
  }
  void fail_once() { fails_ = true; }

 private:
  const clock& real_;
  mutable bool fails_ = false;
};

class committer_fixture : public testing::redis_fixture {
 protected:
  engine_settings settings() {
    engine_settings s;
    s.committer.restore_players = [this](std::vector<std::string> ids) {
      if (on_restore) on_restore();
      return nobody(std::move(ids));
    };
    s.committer.restore_levels = nobody;
    return s;
  }
  void SetUp() override {
    redis_fixture::SetUp();
    tasks.spawn("engine", [this] { return events.run(); });
    run([this]() -> awaitable<void> {
      for (const auto* player : {"a", "b", "c"})
        co_await redis.command("HSET", fmt::format("player:{}", player), "hp", 100);
    });
  }
  void TearDown() override {
    events.stop();
    redis_fixture::TearDown();
  }

  frame make(const std::vector<std::string>& texts, std::optional<stream_position> at = {}) {
    frame f;
    for (const auto& text : texts) {
      f.events.push_back(decode_event(boost::json::parse(text), a_server, time.now()).value());
      f.indices.push_back(f.indices.size());
    }
    f.position = std::move(at);
    return f;
  }
  static std::string hit(const char* attacker, const char* target, int damage) {
    return fmt::format(R"({{"type":"attack","attacker_id":"{}","target_id":"{}","damage":{}}})",
                       attacker, target, damage);
  }
  static std::vector<std::size_t> indices_of(const outcome& out) {
    std::vector<std::size_t> indices;
    for (const auto& r : out.rejected) indices.push_back(r.index);
    std::sort(indices.begin(), indices.end());
    return indices;
  }
  awaitable<double> number(std::string command, std::string key, std::string field) {
    co_return (co_await redis.command(command, key, field)).as_double().value_or(-1);
  }

  // With an id of its own, so that nobody looks at the clock to make one.
  std::string marked_hit(const char* target) {
    return fmt::format(
        R"({{"type":"attack","id":"hit{}","attacker_id":"a","target_id":"{}","damage":1}})",
        ++marked_hits, target);
  }

  // Applied or not, it must be answered, and what follows must be applied.
  awaitable<void> expect_to_go_on() {
    auto failing = make({marked_hit("b"), marked_hit("stranger")});
    const auto failed = co_await events.commit(std::move(failing));
    EXPECT_EQ(failed.failed ? failed.failed->code : errc::not_found, errc::internal);
    auto next = make({hit("a", "b", 1)});
    const auto out = co_await events.commit(std::move(next));
    EXPECT_FALSE(out.failed);
    EXPECT_EQ(out.accepted, 1U);
  }

  manual_clock time;
  faulty_clock faulty{time};
  int marked_hits = 0;
  redis::key_space keys;
  metrics::registry numbers;
  std::function<void()> on_restore;
  engine events{io, redis, redis, keys, faulty, settings(), numbers};
};

TEST_F(committer_fixture, an_attack_leaves_its_record_and_the_players_state) {
  run([this]() -> awaitable<void> {
    for (const int damage : {5, 7}) {
      auto f = make({hit("a", "b", damage)});
      const auto out = co_await events.commit(std::move(f));
      EXPECT_EQ(out.accepted, 1U);
      auto record = co_await redis.command("HGETALL", "attack:a:b");
      EXPECT_THAT(record.as_pairs(), UnorderedElementsAre(Pair("id", SizeIs(26)),
                                                          Pair("damage", std::to_string(damage)),
                                                          Pair("ts", to_rfc3339(time.now()))));
      time.advance(1s);
    }
    const auto ttl = (co_await redis.command("TTL", "attack:a:b")).as_integer().value_or(0);
    EXPECT_GT(ttl, 86'390);
    EXPECT_EQ(co_await number("HGET", "player:b", "hp"), 88);
    EXPECT_EQ(co_await number("HGET", "player:a", "damage_dealt"), 12);
    EXPECT_EQ(co_await number("ZSCORE", "leaderboard:active", "a"), 2);
  });
}

TEST_F(committer_fixture, a_player_whose_state_is_something_else_is_set_aside) {
  run([this]() -> awaitable<void> {
    const std::vector<std::vector<std::string>> states{{"SET", "player:x", "text"},
                                                       {"RPUSH", "player:x", "1"},
                                                       {"ZADD", "player:x", "1", "hp"},
                                                       {"HSET", "player:x", "hp", "many"},
                                                       {"HSET", "player:x", "hp", "nan"}};
    std::int64_t hits = 0;
    for (const auto& words : states) {
      co_await redis.command("DEL", "player:x");
      redis::request r;
      r.push_range(words[0], words.begin() + 1, words.end());
      co_await redis.exec(std::move(r));
      const auto before = (co_await redis.command("DUMP", "player:x")).as_string();
      auto f = make({hit("a", "x", 5), hit("x", "b", 5), hit("a", "b", 1), hit("x", "x", 1)});
      const auto out = co_await events.commit(std::move(f));
      ++hits;
      EXPECT_FALSE(out.failed) << words[0];
      EXPECT_EQ(out.accepted, 1U) << words[0];
      EXPECT_THAT(indices_of(out), ElementsAre(0, 1, 3)) << words[0];
      if (out.rejected.empty()) continue;
      EXPECT_EQ(out.rejected[0].why.code, errc::conflict);
      EXPECT_THAT(out.rejected[0].why.message, HasSubstr("player:x"));
      EXPECT_EQ(co_await number("HGET", "player:b", "hp"), 100 - hits);
      EXPECT_EQ(co_await number("HGET", "player:a", "damage_dealt"), hits);
      EXPECT_EQ(co_await number("ZSCORE", "leaderboard:active", "a"), hits);
      EXPECT_EQ(co_await number("HGET", "attack:a:b", "damage"), 1);
      const auto after = (co_await redis.command("DUMP", "player:x")).as_string();
      EXPECT_EQ(after, before) << "nothing of it is changed";
    }
    const auto writers = co_await redis.command("KEYS", "commit:*");
    EXPECT_EQ(writers.size(), 1U) << "none of the commits has failed";
  });
}

TEST_F(committer_fixture, what_else_stands_under_other_keys_of_a_player_stops_no_commit) {
  run([this]() -> awaitable<void> {
    for (const auto* key : {"actions:a", "attack:a:b", "move:a", "achievements:a", "user:a"})
      co_await redis.command("SET", key, "text");
    for (int n = 1; n <= 3; ++n) {
      auto f = make({hit("a", "b", 1), hit("b", "c", 1),
                     R"({"type":"move","player_id":"a","lat":1,"lon":2})"});
      const auto out = co_await events.commit(std::move(f));
      EXPECT_EQ(out.accepted, 3U);
      EXPECT_EQ(co_await number("HGET", "player:b", "hp"), 100 - n);
      EXPECT_EQ(co_await number("HGET", "player:c", "hp"), 100 - n);
      EXPECT_EQ(co_await number("ZSCORE", "leaderboard:active", "a"), 2 * n);
      EXPECT_EQ(co_await number("ZSCORE", "leaderboard:active", "b"), n);
      const auto actions = co_await redis.command("LLEN", "actions:b");
      EXPECT_EQ(actions.as_integer(), n);
    }
    EXPECT_EQ(co_await number("HGET", "attack:a:b", "damage"), 1) << "replaced";
    EXPECT_EQ(co_await number("HGET", "move:a", "lat"), 1) << "replaced";
    EXPECT_EQ((co_await redis.command("GET", "actions:a")).as_string(), "text");
    const auto writers = co_await redis.command("KEYS", "commit:*");
    EXPECT_EQ(writers.size(), 1U) << "none of the commits has failed";
  });
}

TEST_F(committer_fixture, an_event_that_needs_a_damaged_key_is_rejected_and_no_other) {
  run([this]() -> awaitable<void> {
    for (const auto* key :
         {"leaderboard:own", "leaderboard:level:l1", "inventory:a", "chat:team:x"})
      co_await redis.command("SET", key, "text");
    co_await redis.command("HSET", "inventory:b", "gem", 2, "key", "many");
    co_await redis.command("ZADD", "levels:popular", 0, "l1", 0, "l2");
    auto f =
        make({R"({"type":"score","board":"own","player_id":"a","value":1})",
              R"({"type":"score","board":"other","player_id":"a","value":1})",
              R"({"type":"completion","player_id":"a","level_id":"l1","score":1})",
              R"({"type":"completion","player_id":"a","level_id":"l2","score":1})",
              R"({"type":"item","player_id":"a","item":"gem","quantity":1})",
              R"({"type":"item","player_id":"b","item":"gem","quantity":1})",
              R"({"type":"trade","from":"b","to":"a","give":{"gem":1}})",
              R"({"type":"trade","from":"b","to":"c","give":{"key":1}})",
              R"({"type":"chat","channel":"team:x","from":"a","text":"hi"})",
              R"({"type":"chat","channel":"team:y","from":"a","text":"hi"})", hit("a", "b", 1)});
    const auto out = co_await events.commit(std::move(f));
    EXPECT_FALSE(out.failed);
    EXPECT_EQ(out.accepted, 5U);
    EXPECT_THAT(indices_of(out), ElementsAre(0, 2, 4, 6, 7, 8));
    for (const auto& r : out.rejected) EXPECT_EQ(r.why.code, errc::conflict) << r.why.message;
    EXPECT_EQ(co_await number("ZSCORE", "leaderboard:other", "a"), 1);
    EXPECT_EQ(co_await number("ZSCORE", "leaderboard:level:l2", "a"), 1);
    EXPECT_EQ(co_await number("ZSCORE", "levels:popular", "l1"), 0);
    EXPECT_EQ(co_await number("ZSCORE", "leaderboard:global", "a"), 1);
    EXPECT_EQ(co_await number("HGET", "inventory:b", "gem"), 3);
    EXPECT_EQ(co_await number("HGET", "player:b", "hp"), 99);
    const auto said = co_await redis.command("XLEN", "chat:team:y");
    EXPECT_EQ(said.as_integer(), 1);
  });
}

TEST_F(committer_fixture, what_else_stands_under_a_streams_key_is_replaced) {
  run([this]() -> awaitable<void> {
    co_await redis.command("SADD", "ingest:s", "1");
    auto f = make({hit("a", "b", 1)}, stream_position{"s", 1, 0, "key:k"});
    const auto out = co_await events.commit(std::move(f));
    EXPECT_EQ(out.accepted, 1U);
    EXPECT_EQ((co_await redis.command("GET", "ingest:s")).as_string(), "1 0 key:k");
    EXPECT_EQ(co_await number("HGET", "player:b", "hp"), 99);
  });
}

TEST_F(committer_fixture, players_whose_names_look_like_keys_are_told_apart) {
  run([this]() -> awaitable<void> {
    const std::vector<std::string> players{"x", "x:actions", "a:b", "b:c"};
    for (const auto& player : players)
      co_await redis.command("HSET", "player:" + player, "hp", 100);
    for (int n = 1; n <= 2; ++n) {
      auto f = make({hit("x", "x:actions", 1), hit("x:actions", "x", 2), hit("a:b", "c", 3),
                     hit("a", "b:c", 4)});
      const auto out = co_await events.commit(std::move(f));
      EXPECT_EQ(out.accepted, 4U);
      EXPECT_EQ(co_await number("HGET", "player:x:actions", "hp"), 100 - n);
      EXPECT_EQ(co_await number("HGET", "player:x", "hp"), 100 - 2 * n);
    }
    EXPECT_EQ((co_await redis.command("LLEN", "actions:x")).as_integer(), 2);
    EXPECT_EQ((co_await redis.command("LLEN", "actions:x:actions")).as_integer(), 2);
    EXPECT_EQ(co_await number("HGET", "attack:a%3Ab:c", "damage"), 3);
    EXPECT_EQ(co_await number("HGET", "attack:a:b%3Ac", "damage"), 4);
    EXPECT_EQ((co_await redis.command("KEYS", "attack:*")).size(), 4U);
  });
}

TEST_F(committer_fixture, frames_with_long_ids_keep_them) {
  run([this]() -> awaitable<void> {
    const std::string id(64, 'x');
    auto f = make({fmt::format(
        R"({{"type":"attack","id":"{}","attacker_id":"a","target_id":"b","damage":1}})", id)});
    const auto out = co_await events.commit(std::move(f));
    EXPECT_EQ(out.accepted, 1U);
    EXPECT_EQ((co_await redis.command("HGET", "attack:a:b", "id")).as_string(), id);
  });
}

TEST_F(committer_fixture, a_frame_behind_one_that_is_amended_follows_it) {
  run([this]() -> awaitable<void> {
    std::vector<std::string> order;
    std::size_t done = 0;
    const auto submit = [&](std::vector<std::string> texts, std::uint64_t seq) {
      auto f = make(texts, stream_position{"s", seq, 0, "key:k"});
      f.done = [&order, &done, seq](const outcome& o) {
        order.push_back(fmt::format("{}:{}:{}", seq, o.accepted, o.rejected.size()));
        ++done;
      };
      events.submit(std::move(f));
    };
    // The first is on its way alone; the others follow while it is amended.
    submit({hit("a", "stranger", 1), hit("a", "b", 1)}, 1);
    co_await testing::pause(1ms);
    submit({hit("a", "b", 2)}, 2);
    co_await testing::pause(1ms);
    submit({hit("stranger", "b", 2), hit("a", "c", 2)}, 3);
    co_await testing::eventually([&] { return done == 3; });
    EXPECT_THAT(order, ElementsAre("1:1:1", "2:1:0", "3:1:1"));
    EXPECT_EQ(co_await number("HGET", "player:b", "hp"), 97);
    EXPECT_EQ(co_await number("HGET", "player:a", "damage_dealt"), 5);
    const auto place = co_await events.claim("s", "key:k");
    EXPECT_EQ(place->committed, 3U);
  });
}

TEST_F(committer_fixture, commits_that_redis_forgot_are_done_again) {
  run([this]() -> awaitable<void> {
    // Only commits that may not be in the file yet are kept, so this has to be quick: it is tried
    // until the loss hits one that was.
    for (int attempt = 0; attempt < 50; ++attempt) {
      co_await redis.command("FLUSHALL");
      for (const auto* player : {"a", "b", "c"})
        co_await redis.command("HSET", fmt::format("player:{}", player), "hp", 100);
      auto first = make({hit("a", "b", 1)});
      const auto done = co_await events.commit(std::move(first));
      EXPECT_EQ(done.accepted, 1U);
      co_await redis.command("FLUSHALL");
      for (const auto* player : {"a", "b", "c"})
        co_await redis.command("HSET", fmt::format("player:{}", player), "hp", 100);
      auto second = make({hit("a", "b", 1)});
      const auto again = co_await events.commit(std::move(second));
      EXPECT_EQ(again.accepted, 1U);
      if (co_await number("ZSCORE", "leaderboard:active", "a") < 2) continue;
      EXPECT_EQ(co_await number("HGET", "player:b", "hp"), 98);
      co_return;
    }
    ADD_FAILURE() << "no commit was done again";
  });
}

TEST_F(committer_fixture, the_engine_goes_on_after_an_exception_before_a_commit_is_sent) {
  run([this]() -> awaitable<void> {
    for (int round = 0; round < 3; ++round) {
      faulty.fail_once();
      co_await expect_to_go_on();
    }
    EXPECT_EQ(co_await number("HGET", "player:b", "hp"), 97);
  });
}

TEST_F(committer_fixture, the_engine_goes_on_after_an_exception_while_a_commit_is_amended) {
  run([this]() -> awaitable<void> {
    on_restore = [] { throw std::runtime_error("a defect"); };
    co_await expect_to_go_on();
    on_restore = [] { throw 42; };
    co_await expect_to_go_on();
    on_restore = nullptr;
    auto amended = make({hit("a", "b", 1), hit("a", "stranger", 1)});
    const auto out = co_await events.commit(std::move(amended));
    EXPECT_EQ(out.accepted, 1U);
    EXPECT_EQ(co_await number("HGET", "player:b", "hp"), 97);
  });
}

TEST_F(committer_fixture, an_answer_that_fails_takes_no_other_answer_away) {
  run([this]() -> awaitable<void> {
    std::size_t answered = 0;
    for (int i = 0; i < 3; ++i) {
      auto f = make({hit("a", "b", 1)});
      f.done = [&answered](const outcome& o) {
        EXPECT_EQ(o.accepted, 1U);
        ++answered;
        throw std::runtime_error("this caller is broken");
      };
      events.submit(std::move(f));
    }
    const auto all = [&answered] { return answered == 3; };
    co_await testing::eventually(all);
    EXPECT_EQ(co_await number("HGET", "player:b", "hp"), 97);
  });
}

TEST_F(committer_fixture, a_stream_belongs_to_its_first_owner_and_has_one_writer) {
  run([this]() -> awaitable<void> {
    const auto first = co_await events.claim("s", "key:one");
    const auto stolen = co_await events.claim("s", "key:two");
    EXPECT_TRUE(stolen.has_error());
    EXPECT_EQ(stolen.error().code, errc::forbidden);
    auto frame_1 = make({hit("a", "b", 1)}, stream_position{"s", 1, first->claim, "key:one"});
    const auto before = co_await events.commit(std::move(frame_1));
    EXPECT_EQ(before.accepted, 1U);

    const auto second = co_await events.claim("s", "key:one");
    EXPECT_EQ(second->committed, 1U);
    EXPECT_GT(second->claim, first->claim);
    auto late = make({hit("a", "b", 10)}, stream_position{"s", 2, first->claim, "key:one"});
    const auto refused = co_await events.commit(std::move(late));
    EXPECT_TRUE(refused.taken_over);
    auto frame_2 = make({hit("a", "b", 1)}, stream_position{"s", 2, second->claim, "key:one"});
    const auto after = co_await events.commit(std::move(frame_2));
    EXPECT_EQ(after.accepted, 1U);
    EXPECT_EQ(co_await number("HGET", "player:b", "hp"), 98);
    EXPECT_GT((co_await redis.command("TTL", "ingest:s")).as_integer().value_or(0), 86'390);
  });
}

TEST_F(committer_fixture, a_stream_of_an_older_version_is_taken_as_it_is) {
  run([this]() -> awaitable<void> {
    co_await redis.command("SET", "ingest:s", "17");
    const auto place = co_await events.claim("s", "key:one");
    EXPECT_EQ(place->committed, 17U);
    const auto stolen = co_await events.claim("s", "key:two");
    EXPECT_TRUE(stolen.has_error());
  });
}

TEST_F(committer_fixture, scores_stay_within_what_a_double_holds_exactly) {
  run([this]() -> awaitable<void> {
    const auto scored = [](std::int64_t value, const char* player) {
      return fmt::format(R"({{"type":"score","board":"x","player_id":"{}","value":{}}})", player,
                         value);
    };
    // The sum of a batch is far beyond 64 bits; what fits is applied, in order.
    std::vector<std::string> many(1'500, scored(score_max, "a"));
    many.push_back(scored(-5, "a"));
    many.push_back(scored(7, "b"));
    auto f = make(many);
    const auto out = co_await events.commit(std::move(f));
    EXPECT_EQ(out.accepted, 3U);
    EXPECT_EQ(out.rejected.size(), 1'499U);
    EXPECT_EQ(out.rejected.at(0).index, 1U);
    EXPECT_EQ(out.rejected.at(0).why.code, errc::invalid_argument);
    EXPECT_EQ(co_await number("ZSCORE", "leaderboard:x", "a"), static_cast<double>(score_max - 5));
    EXPECT_EQ(co_await number("ZSCORE", "leaderboard:x", "b"), 7);
  });
}

TEST_F(committer_fixture, quantities_and_damage_stay_exact_too) {
  run([this]() -> awaitable<void> {
    co_await redis.command("HSET", "inventory:a", "coin", "9007199254740990");
    co_await redis.command("HSET", "player:a", "damage_dealt", "9007199254740990");
    const auto coin = R"({"type":"item","player_id":"a","item":"coin","quantity":1})";
    auto f = make({coin, coin, hit("a", "b", 5)});
    const auto out = co_await events.commit(std::move(f));
    EXPECT_EQ(out.accepted, 2U);
    EXPECT_EQ(out.rejected.at(0).index, 1U);
    EXPECT_EQ((co_await redis.command("HGET", "inventory:a", "coin")).as_string(),
              "9007199254740991");
    EXPECT_EQ((co_await redis.command("HGET", "player:a", "damage_dealt")).as_string(),
              "9007199254740992");
  });
}

TEST_F(committer_fixture, completions_stay_within_the_range_of_scores) {
  run([this]() -> awaitable<void> {
    co_await redis.command("ZADD", "levels:popular", 1, "l");
    const auto done = [](const char* id) {
      return fmt::format(
          R"({{"type":"completion","completion_id":"{}","level_id":"l","player_id":"a","score":{}}})",
          id, score_max);
    };
    auto f = make({done("one"), done("two")});
    const auto out = co_await events.commit(std::move(f));
    EXPECT_EQ(out.accepted, 1U);
    EXPECT_EQ(out.rejected.at(0).why.code, errc::invalid_argument);
    EXPECT_EQ(co_await number("ZSCORE", "leaderboard:global", "a"), static_cast<double>(score_max));
  });
}

}  // namespace
}  // namespace skirmish::interactions
