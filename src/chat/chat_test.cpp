#include "chat/chat.hpp"

#include "chat/published.hpp"

#include <gtest/gtest.h>

namespace skirmish::chat {
namespace {

TEST(message_id, is_read_and_written) {
  EXPECT_EQ(parse_stream_id("1700000000000-7"), (message_id{1'700'000'000'000, 7}));
  EXPECT_EQ(parse_stream_id("5"), (message_id{5, 0}));
  EXPECT_EQ(to_string(message_id{5, 3}), "5-3");
  for (const auto* text : {"", "-", "-1", "5-", "a", "5-a", "5-1-2", " 5", "9223372036854775808",
                           "5--0", "5-9223372036854775808"})
    EXPECT_FALSE(parse_stream_id(text)) << text;
}

TEST(message_id, is_ordered_by_time_then_number) {
  EXPECT_LT((message_id{5, 9}), (message_id{6, 0}));
  EXPECT_LT((message_id{5, 9}), (message_id{5, 10}));
}

TEST(published, is_read_whatever_the_order_of_its_members) {
  for (const auto* text : {R"({"channel":"general","id":"5-3","from":"ada","text":"hi","ts":"t"})",
                           R"({ "text": "\"id\":\"9-9\"", "id": "5-3", "channel": "general" })"}) {
    const auto read = read_published(text);
    EXPECT_EQ(read.what, published::kind::message) << text;
    EXPECT_EQ(read.id, (message_id{5, 3})) << text;
  }
  const auto banned = read_published(R"({"banned":{"player_id":"bob","channel":"general"}})");
  EXPECT_EQ(banned.what, published::kind::banned);
  EXPECT_EQ(banned.player_id, "bob");
  EXPECT_EQ(read_published(R"({"banned":{}})").player_id, "");
  const auto removed = read_published(R"({"removed":{"channel":"general","player_id":"bob"}})");
  EXPECT_EQ(removed.what, published::kind::removed);
  EXPECT_EQ(removed.player_id, "bob");
  EXPECT_EQ(read_published(R"( {"deleted":{"channel":"general","id":"5-3"}})").what,
            published::kind::deleted);
}

// Clients would get broken JSON if it were taken for a message.
TEST(published, what_only_begins_like_a_message_is_unknown) {
  for (const auto* text :
       {"", "hello", "{}", "[1]", R"({"channel":"general","id":"5-3")",
        R"({"channel":"general","id":"5-3"} and more)", R"({"channel":"general","id":"x"})",
        R"({"channel":"general","id":5})", R"({"id":"5-3"})"})
    EXPECT_EQ(read_published(text).what, published::kind::unknown) << text;
}

struct rights : testing::Test {
  asio::io_context io;
  redis::client redis{io, {}, "test"};
  redis::key_space keys;
  manual_clock time;
  service chat{redis, keys, time, {}};
  http::principal anyone{}, ada{http::role::player, "ada"}, server{http::role::server, "s"};

  static errc code(const result<void>& r) { return r ? errc{} : r.error().code; }
};

TEST_F(rights, to_read) {
  EXPECT_TRUE(chat.may_read(ada, "general"));
  EXPECT_TRUE(chat.may_read(anyone, "achievement"));
  EXPECT_TRUE(chat.may_read(ada, "dm:ada"));
  EXPECT_TRUE(chat.may_read(server, "dm:ada"));
  EXPECT_EQ(code(chat.may_read(ada, "dm:bob")), errc::forbidden);
  EXPECT_EQ(code(chat.may_read(anyone, "general")), errc::unauthenticated);
  for (const auto* channel : {"", "lobby", "team:", "activity", "leaderboard:global", "team: x"})
    EXPECT_FALSE(chat.may_read(server, channel)) << channel;
}

TEST_F(rights, to_speak) {
  EXPECT_TRUE(chat.may_send(ada, "general"));
  EXPECT_TRUE(chat.may_send(ada, "dm:bob"));
  EXPECT_TRUE(chat.may_send(server, "cache"));
  EXPECT_EQ(code(chat.may_send(ada, "achievement")), errc::forbidden);
  EXPECT_EQ(code(chat.may_send(anyone, "general")), errc::unauthenticated);
  EXPECT_EQ(*chat.speaker(ada, std::nullopt), "ada");
  EXPECT_FALSE(chat.speaker(ada, "bob"));
  EXPECT_EQ(*chat.speaker(server, "bob"), "bob");
  EXPECT_FALSE(chat.speaker(server, std::nullopt));
}

}  // namespace
}  // namespace skirmish::chat
