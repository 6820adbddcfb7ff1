#include "http/fast_path.hpp"

#include "http/gzip.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skirmish::http {
namespace {

const std::string plain = "GET /server/status HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n";

TEST(fast_path, takes_plain_requests) {
  const auto two = plain + "GET /next";
  const auto asked = parse_fast_request(two).value();
  EXPECT_EQ(asked.path, "/server/status");
  EXPECT_EQ(asked.accept_encoding, "gzip");
  EXPECT_EQ(asked.size_bytes, plain.size());
  EXPECT_FALSE(asked.has_origin);
  EXPECT_FALSE(asked.is_conditional);
  const auto more = parse_fast_request(
                        "GET / HTTP/1.1\r\nhost: a\r\nOrigin: b\r\nIf-None-Match: *\r\nConnection: "
                        "Keep-Alive\r\n\r\n")
                        .value();
  EXPECT_TRUE(more.has_origin);
  EXPECT_TRUE(more.is_conditional);
}

TEST(fast_path, waits_for_the_whole_request) {
  for (std::size_t size = 0; size < plain.size(); ++size)
    EXPECT_FALSE(parse_fast_request(plain.substr(0, size))) << size;
}

TEST(fast_path, leaves_what_is_in_doubt_to_the_ordinary_path) {
  const auto with = [](const std::string& line) {
    return "GET /x HTTP/1.1\r\nHost: a\r\n" + line + "\r\n\r\n";
  };
  ASSERT_TRUE(parse_fast_request(with("Accept: */*")));
  for (const std::string line :
       {"Content-Length: 0", "content-length: 5", "Transfer-Encoding: chunked",
        "Expect: 100-continue", "Upgrade: websocket", "Connection: close",
        "Connection: keep-alive, Upgrade", "TE: trailers", "Host: b", " folded", "No colon",
        ": empty", "Bad Name: x", "X\x01: y", "X: \x01", "X: caf\xC3\xA9", "X: a\nY: b",
        "Accept-Encoding: gzip\r\nAccept-Encoding: br"})
    EXPECT_FALSE(parse_fast_request(with(line))) << line;
  for (const std::string first :
       {"POST /x HTTP/1.1", "HEAD /x HTTP/1.1", "GET /x HTTP/1.0", "GET /x?q=1 HTTP/1.1",
        "GET /%78 HTTP/1.1", "GET x HTTP/1.1", "GET http://a/x HTTP/1.1", "GET  /x HTTP/1.1",
        "GET /x  HTTP/1.1", "get /x HTTP/1.1"})
    EXPECT_FALSE(parse_fast_request(first + "\r\nHost: a\r\n\r\n")) << first;
  EXPECT_FALSE(parse_fast_request("GET /x HTTP/1.1\r\n\r\n")) << "no Host";
  EXPECT_FALSE(parse_fast_request("GET /x HTTP/1.1\r\nHost: a/b\r\n\r\n")) << "bad Host";
  std::string many = "GET /x HTTP/1.1\r\nHost: a\r\n";
  for (int i = 0; i < 40; ++i) many += "X: y\r\n";
  EXPECT_FALSE(parse_fast_request(many + "\r\n"));
}

TEST(gzip, is_taken_when_asked_for) {
  for (const auto* yes : {"gzip", "deflate, gzip;q=0.5", "*", "br , gzip", "gzip;q=1.0"})
    EXPECT_TRUE(accepts_gzip(yes)) << yes;
  for (const auto* no : {"", "br", "gzip;q=0", "*;q=0", "gzip; q=0.000", "*, gzip;q=0", "identity"})
    EXPECT_FALSE(accepts_gzip(no)) << no;
  const auto packed = gzip(std::string(1000, 'x'));
  EXPECT_LT(packed.size(), 100U);
  EXPECT_EQ(packed.substr(0, 2), "\x1F\x8B");
}

TEST(etag, is_compared_weakly) {
  EXPECT_TRUE(matches_etag("\"a\", W/\"b\"", "W/\"b\""));
  EXPECT_TRUE(matches_etag("\"b\"", "W/\"b\""));
  EXPECT_TRUE(matches_etag("*", "W/\"b\""));
  EXPECT_FALSE(matches_etag("", "W/\"b\""));
  EXPECT_FALSE(matches_etag("\"c\"", "W/\"b\""));
}

}  // namespace
}  // namespace skirmish::http
