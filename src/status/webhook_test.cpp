#include "status/webhook.hpp"

#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

namespace skirmish::status {
namespace {

TEST(webhook, signs_time_and_body) {
  // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac secret
  EXPECT_EQ(webhook_signature("secret", timestamp{std::chrono::milliseconds{1'700'000'000'999}},
                              R"({"a":1})"),
            "t=1700000000,v1=49f24e537407743fa4a0242bb63b94b9a47ee99cbbe071ccd8a22550ae411686");
}

TEST(webhook, tells_what_changed) {
  observation game;
  game.info.players = 7;
  game.changed_at = timestamp{std::chrono::seconds{1'700'000'000}};
  const auto down = webhook_event("arena", game);
  EXPECT_EQ(down.at("event"), "server_down");
  EXPECT_EQ(down.at("server"), "arena");
  EXPECT_EQ(down.at("players"), 7);
  EXPECT_EQ(down.at("changed_at"), "2023-11-14T22:13:20.000Z");
  game.is_online = true;
  EXPECT_EQ(webhook_event("", game).at("event"), "server_up");
  EXPECT_TRUE(webhook_event("", game).at("server").is_null());
}

TEST(webhook, takes_http_and_https_only) {
  EXPECT_FALSE(parse_webhook_url("https://example.com/hook?token=x").has_error());
  for (const auto* bad : {"", "a2s://h", "tcp://h:1", "ftp://h"})
    EXPECT_TRUE(parse_webhook_url(bad).has_error()) << bad;
}

}  // namespace
}  // namespace skirmish::status
