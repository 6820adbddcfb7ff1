#include "bans/ban_table.hpp"

#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

namespace skirmish::bans {
namespace {

using namespace std::chrono_literals;
namespace ip = boost::asio::ip;

class bans_in_memory : public ::testing::Test {
 protected:
  ban of(std::string_view kind_word, std::string_view value, std::chrono::seconds life = 60s) {
    const auto now = time.now();
    return {parse_subject(kind_word, value).value(), "because", "k1", now, now + life};
  }
  bool is_banned(const char* address) const {
    return table.of_address(ip::make_address(address)).has_value();
  }

  manual_clock time;
  ban_table table{time};
};

TEST_F(bans_in_memory, addresses_and_networks) {
  table.set({of("address", "203.0.113.7"), of("network", "198.51.100.130-25"),
             of("address", "2001:db8:1:2::7"), of("network", "2001:db8:ff12::/40")});
  for (const auto* banned :
       {"203.0.113.7", "::ffff:203.0.113.7", "198.51.100.128", "198.51.100.255", "2001:db8:1:2::7",
        "2001:db8:1:2:ffff::", "2001:db8:ffff::1"})
    EXPECT_TRUE(is_banned(banned)) << banned;
  for (const auto* free : {"203.0.113.8", "198.51.100.127", "198.51.101.128", "2001:db8:1:3::7",
                           "2001:db8:fe00::1", "::1", "127.0.0.1"})
    EXPECT_FALSE(is_banned(free)) << free;
}

TEST_F(bans_in_memory, a_wider_ban_holds_when_a_narrower_one_has_ended) {
  table.set({of("address", "203.0.113.7", 10s), of("network", "203.0.113.0-24", 60s)});
  EXPECT_EQ(table.of_address(ip::make_address("203.0.113.7"))->left, 10s);
  time.advance(10s);
  EXPECT_EQ(table.of_address(ip::make_address("203.0.113.7"))->left, 50s);
  time.advance(50s);
  EXPECT_FALSE(is_banned("203.0.113.7"));
}

TEST_F(bans_in_memory, players_and_keys_are_told_apart) {
  const auto before = table.version();
  table.set({of("player", "joe"), of("key", "k9")});
  EXPECT_NE(table.version(), before);
  EXPECT_FALSE(table.has_addresses());
  using http::role;
  EXPECT_TRUE(table.of({role::player, "joe"}));
  EXPECT_TRUE(table.of({role::server, "k9"}));
  EXPECT_TRUE(table.of({role::admin, "k9"}));
  EXPECT_FALSE(table.of({role::player, "k9"}));
  EXPECT_FALSE(table.of({role::server, "joe"}));
  EXPECT_FALSE(table.of({}));
}

TEST_F(bans_in_memory, what_redis_has_reads_back) {
  for (const auto& b : {of("player", "a:b"), of("address", "2001:db8:1:2::7"),
                        of("network", "10.1.2.3/8"), of("key", "k")}) {
    const auto read = from_json(json::serialize(to_json(b)));
    ASSERT_TRUE(read);
    EXPECT_EQ(to_json(*read), to_json(b));
    EXPECT_EQ(name_of(read->of), name_of(b.of));
  }
  for (
      const auto* bad :
      {"", "{}", "[]", R"({"kind":"player"})",
       R"({"kind":"x","value":"y","created_at":"2026-01-01T00:00:00Z","until":"2026-01-01T00:00:00Z"})"})
    EXPECT_FALSE(from_json(bad)) << bad;
}

}  // namespace
}  // namespace skirmish::bans
