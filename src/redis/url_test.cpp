#include "redis/url.hpp"

#include <gtest/gtest.h>

namespace skirmish {
namespace {

using redis::connection_config;
using redis::host_port;
using redis::parse_url;

connection_config parsed(std::string_view url) {
  const auto config = parse_url(url);
  EXPECT_TRUE(config) << url << ": " << (config ? "" : config.error().message);
  return config ? *config : connection_config{};
}

TEST(redis_url, tcp_with_every_part) {
  const auto config = parsed("redis://bob:p%40ss%2Fw%3Ard@redis.example:6380/3");
  EXPECT_EQ(config.address, (host_port{"redis.example", 6380}));
  EXPECT_EQ(config.username, "bob");
  EXPECT_EQ(config.password, "p@ss/w:rd");
  EXPECT_EQ(config.database, 3U);
  EXPECT_FALSE(config.tls.enabled);
  EXPECT_TRUE(config.unix_socket.empty());
}

TEST(redis_url, what_is_left_out_has_a_default) {
  EXPECT_EQ(parsed("redis://").address, (host_port{"127.0.0.1", 6379}));
  EXPECT_EQ(parsed("redis://localhost").address, (host_port{"localhost", 6379}));
  EXPECT_EQ(parsed("redis://localhost/").database, 0U);
  EXPECT_EQ(parsed("redis://:secret@h").password, "secret");
  EXPECT_EQ(parsed("redis://:secret@h").username, "");
  EXPECT_EQ(parsed("redis://user@h").username, "user");
  EXPECT_EQ(parsed("redis://h?db=7").database, 7U);
  EXPECT_EQ(parsed("redis://h/?password=a%26b&db=7").password, "a&b");
}

TEST(redis_url, ipv6) {
  EXPECT_EQ(parsed("redis://[::1]").address, (host_port{"::1", 6379}));
  EXPECT_EQ(parsed("redis://u:p@[fe80::1]:7000/1").address, (host_port{"fe80::1", 7000}));
}

TEST(redis_url, a_plain_at_sign_in_the_password) {
  const auto config = parsed("redis://:a@b@h:1234");
  EXPECT_EQ(config.password, "a@b");
  EXPECT_EQ(config.address, (host_port{"h", 1234}));
}

TEST(redis_url, tls) {
  const auto strict = parsed("rediss://h:6390");
  EXPECT_TRUE(strict.tls.enabled);
  EXPECT_TRUE(strict.tls.verify_peer);
  EXPECT_TRUE(strict.tls.check_hostname);
  const auto with_files = parsed(
      "rediss://h?ssl_ca_certs=/etc/ca%20bundle.pem&ssl_certfile=/c&ssl_keyfile=/k"
      "&ssl_check_hostname=false");
  EXPECT_EQ(with_files.tls.ca_file, "/etc/ca bundle.pem");
  EXPECT_EQ(with_files.tls.certificate_file, "/c");
  EXPECT_EQ(with_files.tls.key_file, "/k");
  EXPECT_TRUE(with_files.tls.verify_peer);
  EXPECT_FALSE(with_files.tls.check_hostname);
  EXPECT_FALSE(parsed("rediss://h?ssl_cert_reqs=none").tls.verify_peer);
  EXPECT_FALSE(parsed("rediss://h?ssl_cert_reqs=CERT_NONE").tls.verify_peer);
}

TEST(redis_url, unix_socket) {
  EXPECT_EQ(parsed("unix:///run/redis.sock").unix_socket, "/run/redis.sock");
  const auto options = parsed("unix:///run/a%20b.sock?db=2&password=x%25y&username=u");
  EXPECT_EQ(options.unix_socket, "/run/a b.sock");
  EXPECT_EQ(options.database, 2U);
  EXPECT_EQ(options.password, "x%y");
  EXPECT_EQ(options.username, "u");
  const auto userinfo = parsed("unix://u:p@/run/redis.sock");
  EXPECT_EQ(userinfo.unix_socket, "/run/redis.sock");
  EXPECT_EQ(userinfo.username, "u");
  EXPECT_EQ(userinfo.password, "p");
}

TEST(redis_url, sentinel) {
  const auto config =
      parsed("redis-sentinel://u:p@s1,s2:26380,[::1]/mymaster/4?sentinel_password=q");
  const std::vector<host_port> expected{{"s1", 26379}, {"s2", 26380}, {"::1", 26379}};
  EXPECT_EQ(config.sentinel.addresses, expected);
  EXPECT_EQ(config.sentinel.master_name, "mymaster");
  EXPECT_EQ(config.sentinel.password, "q");
  EXPECT_EQ(config.password, "p");
  EXPECT_EQ(config.database, 4U);
  EXPECT_EQ(parsed("redis-sentinel://s1?master=m").sentinel.master_name, "m");
}

TEST(redis_url, cluster_is_refused_by_name) {
  const auto config = parse_url("redis-cluster://h:1");
  ASSERT_FALSE(config);
  EXPECT_NE(config.error().message.find("not supported yet"), std::string::npos);
}

struct bad_url {
  std::string_view url;
  std::string_view part;  // must be named by the message
};

TEST(redis_url, a_bad_url_names_its_part_and_never_the_password) {
  const bad_url table[] = {
      {"", "begin with"},
      {"hunter2", "begin with"},
      {"hunter2@host:6379", "begin with"},
      {"http://:hunter2@host", "begin with"},
      {"redis:/host?password=hunter2", "begin with"},
      {"redis://:hunter2@host:70000", "port"},
      {"redis://:hunter2@host:0", "port"},
      {"redis://:hunter2@host:", "port"},
      {"redis://:hunter2@host:63x79", "port"},
      {"redis://:hunter2@host:-1", "port"},
      {"redis://:hunter2@host:1:2", "port"},
      {"redis://user:12/hunter2@host", "database"},
      {"redis://user:hunter2/@host", "port"},
      {"redis://:hunter2@ho st", "host"},
      {"redis://:hunter2@ho%00st", "host"},
      {"redis://:hunter2@[::1", "'['"},
      {"redis://:hunter2@[::1]6379", "port"},
      {"redis://:hunter2@host/x", "database"},
      {"redis://:hunter2@host/-1", "database"},
      {"redis://:hunter2@host/1/2", "database"},
      {"redis://:hunter2@host/99999999999999999999", "database"},
      {"redis://:hunter2%@host", "password"},
      {"redis://:hunter2%g0@host", "password"},
      {"redis://:hunter2%0a@host", "password"},
      {"redis://hunter2%4:p@host", "user"},
      {"redis://host?hunter2=1", "option"},
      {"redis://host?password=a&hunter2", "option"},
      {"redis://host?db=hunter2", "database"},
      {"redis://host?ssl_ca_certs=/x&password=hunter2", "rediss"},
      {"rediss://host?ssl_cert_reqs=hunter2", "ssl_cert_reqs"},
      {"rediss://host?ssl_check_hostname=hunter2", "ssl_check_hostname"},
      {"rediss://host?ssl_certfile=/hunter2", "ssl_keyfile"},
      {"unix://hunter2", "no host"},
      {"unix://", "path"},
      {"unix://u:hunter2@", "path"},
      {"unix:///hunter2/0123456789012345678901234567890123456789012345678901234567890123456789/"
       "01234567890123456789012345678.sock",
       "too long"},
      {"redis-sentinel:///hunter2", "Sentinel"},
      {"redis-sentinel://:hunter2@host", "master"},
      {"redis-sentinel://host/m/hunter2", "database"},
  };
  for (const auto& [url, part] : table) {
    const auto config = parse_url(url);
    ASSERT_FALSE(config) << url;
    EXPECT_EQ(config.error().code, errc::invalid_argument);
    EXPECT_NE(config.error().message.find(part), std::string::npos)
        << url << " -> " << config.error().message;
    EXPECT_EQ(config.error().message.find("hunter2"), std::string::npos) << config.error().message;
  }
}

TEST(redis_url, masked) {
  const auto masked = [](std::string_view url) { return to_string_masked(parsed(url)); };
  EXPECT_EQ(masked("redis://bob:secret@h:6380/3"), "redis://***@h:6380/3");
  EXPECT_EQ(masked("redis://secret@h"), "redis://***@h:6379");
  EXPECT_EQ(masked("rediss://[::1]?password=secret"), "rediss://***@[::1]:6379");
  EXPECT_EQ(masked("unix:///s.sock?db=2&password=secret"), "unix://***@/s.sock?db=2");
  EXPECT_EQ(masked("redis-sentinel://a,b:1/m/2?sentinel_password=secret"),
            "redis-sentinel://a:26379,b:1/m/2");
}

}  // namespace
}  // namespace skirmish
