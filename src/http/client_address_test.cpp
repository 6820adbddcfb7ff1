#include "http/client_address.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skirmish::http {
namespace {

using boost::asio::ip::make_address;

TEST(client_address, counts_an_ipv6_network_as_one) {
  EXPECT_EQ(counted_address("203.0.113.7"), "203.0.113.7");
  EXPECT_EQ(counted_address("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
  EXPECT_EQ(counted_address("2001:db8:1:2:ffff::1"), "2001:db8:1:2::");
  EXPECT_NE(counted_address("2001:db8:1:3::1"), counted_address("2001:db8:1:2::1"));
  EXPECT_EQ(counted_address("::ffff:203.0.113.7"), "203.0.113.7");
  EXPECT_EQ(counted_address("fe80::1%lo"), "fe80::");
  EXPECT_EQ(counted_address("nonsense"), "nonsense");
}

TEST(client_address, proxies_are_addresses_and_networks) {
  const auto proxies = trusted_proxies::parse("10.0.0.0/9, 192.0.2.7 ,fd00::/8,").value();
  for (const auto* in : {"10.0.0.1", "10.127.255.255", "::ffff:10.1.2.3", "192.0.2.7", "fdab::1"})
    EXPECT_TRUE(proxies.contain(make_address(in))) << in;
  for (const auto* out : {"10.128.0.0", "11.0.0.1", "192.0.2.8", "fe00::1", "::a00:1"})
    EXPECT_FALSE(proxies.contain(make_address(out))) << out;
  EXPECT_FALSE(trusted_proxies().contain(make_address("127.0.0.1")));
  EXPECT_TRUE(trusted_proxies::parse("0.0.0.0/0").value().contain(make_address("8.8.8.8")));
  EXPECT_FALSE(trusted_proxies::parse("0.0.0.0/0").value().contain(make_address("2001::1")));
  for (const auto* bad : {"10.0.0.0/33", "10.0.0/8", "fd00::/129", "proxy.example", "10.0.0.0/",
                          "10.0.0.0/-1", "10.0.0.0/8/8"})
    EXPECT_TRUE(trusted_proxies::parse(bad).has_error()) << bad;
}

std::string client(const char* peer, const fields& headers) {
  static const auto proxies = trusted_proxies::parse("10.0.0.0/8").value();
  return client_of(make_address(peer), headers, proxies).to_string();
}

TEST(client_address, the_last_hop_that_is_no_proxy_is_the_client) {
  const fields forged{{"x-forwarded-for", "1.1.1.1, 198.51.100.4, 10.0.0.2"}};
  EXPECT_EQ(client("10.0.0.1", forged), "198.51.100.4");
  EXPECT_EQ(client("198.51.100.9", forged), "198.51.100.9") << "anybody may send such a field";
  EXPECT_EQ(client("10.0.0.1", {}), "10.0.0.1");
  EXPECT_EQ(client("10.0.0.1", {{"x-forwarded-for", "1.1.1.1"}, {"x-forwarded-for", "2.2.2.2"}}),
            "2.2.2.2");
  EXPECT_EQ(client("10.0.0.1", {{"x-forwarded-for", "10.0.0.3, 10.0.0.2"}}), "10.0.0.3");
  EXPECT_EQ(client("10.0.0.1", {{"x-forwarded-for", "1.1.1.1, unknown, 10.0.0.2"}}), "10.0.0.2");
  EXPECT_EQ(client("10.0.0.1", {{"x-forwarded-for", "2001:db8::1"}}), "2001:db8::1");
  EXPECT_EQ(client("10.0.0.1", {{"x-forwarded-for", " , ,"}}), "10.0.0.1");
}

}  // namespace
}  // namespace skirmish::http
