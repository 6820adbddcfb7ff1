#include "core/url.hpp"

#include <gtest/gtest.h>

namespace skirmish {
namespace {

TEST(url, is_split_into_its_parts) {
  const auto whole = split_url("redis://bob:p%40ss@h:1,[::1]:2/a/b?c=d?e").value();
  EXPECT_EQ(whole.scheme, "redis");
  EXPECT_EQ(whole.authority, "bob:p%40ss@h:1,[::1]:2");
  EXPECT_EQ(whole.user_info, "bob:p%40ss");
  EXPECT_EQ(whole.hosts, "h:1,[::1]:2");
  EXPECT_EQ(whole.target, "/a/b?c=d?e");
  EXPECT_EQ(whole.path, "/a/b");
  EXPECT_EQ(whole.query, "c=d?e");
}

TEST(url, parts_may_be_missing) {
  EXPECT_FALSE(split_url(""));
  EXPECT_FALSE(split_url("sqlite:game.db"));
  EXPECT_FALSE(split_url("user@host:6379"));
  const auto bare = split_url("tcp://").value();
  EXPECT_EQ(bare.scheme, "tcp");
  EXPECT_EQ(bare.authority, "");
  EXPECT_EQ(bare.user_info, std::nullopt);
  EXPECT_EQ(bare.path, "");
  EXPECT_EQ(bare.query, std::nullopt);
  const auto query = split_url("http://h?").value();
  EXPECT_EQ(query.hosts, "h");
  EXPECT_EQ(query.path, "");
  EXPECT_EQ(query.query, "");
}

TEST(url, the_last_at_sign_ends_the_user) {
  const auto url = split_url("mysql://u:a@b@h/n@x").value();
  EXPECT_EQ(url.user_info, "u:a@b");
  EXPECT_EQ(url.hosts, "h");
  EXPECT_EQ(url.path, "/n@x");
  EXPECT_EQ(split_url("x://@h").value().user_info, "");
}

TEST(url, hosts_and_ports) {
  EXPECT_EQ(split_host("h").value().host, "h");
  EXPECT_EQ(split_host("h").value().port, std::nullopt);
  EXPECT_EQ(split_host("h:").value().port, "");
  EXPECT_EQ(split_host("h:1:2").value().port, "1:2");
  EXPECT_EQ(split_host(":1").value().host, "");
  const auto six = split_host("[fe80::1]:7").value();
  EXPECT_EQ(six.host, "fe80::1");
  EXPECT_EQ(six.port, "7");
  EXPECT_TRUE(six.is_bracketed);
  EXPECT_EQ(split_host("[::1]").value().port, std::nullopt);
  for (const auto* bad : {"[", "[::1", "[::1]7", "[::1]]:7"}) EXPECT_FALSE(split_host(bad)) << bad;
}

}  // namespace
}  // namespace skirmish
