#include "http/request_head.hpp"

#include "http/websocket_handshake.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skirmish::http {
namespace {

request with(fields headers) {
  request r;
  r.headers = std::move(headers);
  return r;
}

int refused(std::string_view target, fields headers = {{"host", "a"}}) {
  auto r = with(std::move(headers));
  const auto no = check_head(r, target);
  return no ? no->status : 0;
}

TEST(request_head, targets_are_paths) {
  for (const auto* good : {"/", "/a?b", "/%41", "//", "/a?x[]={1|2}", "http://b", "http://b/c?d"})
    EXPECT_EQ(refused(good), 0) << good;
  for (const auto* bad :
       {"", "@api", ";api", "api", "*", "?", "a:80", "http://", "http://@b/", "http://b@c/",
        "ftp://b/", "/a#b", "/\"", "/a b", "/\x01", "/caf\xC3\xA9", "http:///a"})
    EXPECT_EQ(refused(bad), 400) << bad;
}

TEST(request_head, absolute_targets_name_the_host) {
  auto r = with({{"host", "other"}});
  EXPECT_FALSE(check_head(r, "HTTP://b:81/c?d=/e"));
  EXPECT_EQ(r.path, "/c");
  EXPECT_EQ(r.query, "d=/e");
  EXPECT_EQ(r.header("host"), "b:81");
  EXPECT_FALSE(check_head(r, "http://b?d"));
  EXPECT_EQ(r.path, "/");
  EXPECT_EQ(r.query, "d");
}

TEST(request_head, there_is_one_host_and_it_is_one) {
  EXPECT_EQ(refused("/", {}), 400);
  EXPECT_EQ(refused("/", {{"host", "a"}, {"host", "a"}}), 400);
  for (const auto* good : {"a", "a.b:80", "127.0.0.1:8090", "[::1]", "[::1]:80", "a_b", "a:"})
    EXPECT_EQ(refused("/", {{"host", good}}), 0) << good;
  for (const auto* bad : {"", "a b", "a/b", "a@b", "a:b", ":80", "a:123456", "[::1", "[]", "[g]",
                          "[::1]80", "a,b:80:80", "\"a\""})
    EXPECT_EQ(refused("/", {{"host", bad}}), 400) << bad;
  auto old = with({});
  old.version_minor = 0;
  EXPECT_FALSE(check_head(old, "/"));
}

TEST(request_head, chunked_is_the_only_coding) {
  const auto status = [](std::string coding) {
    return refused("/", {{"host", "a"}, {"transfer-encoding", std::move(coding)}});
  };
  EXPECT_EQ(status("Chunked"), 0);
  for (const auto* bad : {"gzip, chunked", "chunked, chunked", "identity", ""})
    EXPECT_EQ(status(bad), 501) << bad;
}

TEST(request_head, tokens_are_whole_list_elements) {
  const fields headers{{"connection", "keep-alive , UPGRADE"}, {"upgrade", "websockets"}};
  EXPECT_TRUE(lists_token(headers, "connection", "upgrade"));
  EXPECT_TRUE(lists_token(headers, "connection", "keep-alive"));
  EXPECT_FALSE(lists_token(headers, "connection", "keep"));
  EXPECT_FALSE(lists_token(headers, "upgrade", "websocket"));
}

TEST(request_head, origins) {
  const auto allowed = [](std::string origin, std::string host = "game.example:8090") {
    return is_allowed_origin(with({{"host", std::move(host)}, {"origin", std::move(origin)}}),
                             "https://console.example, http://localhost:3000");
  };
  EXPECT_TRUE(is_allowed_origin(with({{"host", "a"}}), ""));
  for (const auto* good : {"http://game.example:8090", "https://Game.Example:8090",
                           "https://console.example", "http://localhost:3000"})
    EXPECT_TRUE(allowed(good)) << good;
  EXPECT_TRUE(allowed("https://game.example", "game.example:443"));
  EXPECT_TRUE(allowed("http://game.example:80", "game.example"));
  for (const auto* bad :
       {"", "null", "https://evil.example", "https://game.example", "https://console.example.evil",
        "http://console.example", "https://evilgame.example:8090", "game.example:8090"})
    EXPECT_FALSE(allowed(bad)) << bad;
}

fields handshake() {
  return {{"host", "a"},
          {"upgrade", "WebSocket"},
          {"connection", "keep-alive, Upgrade"},
          {"sec-websocket-version", "13"},
          {"sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="}};
}

int refused_with(std::string_view name, std::string_view value) {
  auto r = with(handshake());
  for (auto& [n, v] : r.headers)
    if (n == name) v = value;
  const auto no = check_handshake(r);
  return no ? no->status : 0;
}

TEST(websocket_handshake, is_judged_to_the_letter) {
  EXPECT_TRUE(asks_for_websocket(with(handshake())));
  EXPECT_FALSE(asks_for_websocket(with({{"upgrade", "websocketx"}})));
  EXPECT_EQ(refused_with("host", "a"), 0);
  EXPECT_EQ(refused_with("connection", "close"), 400);
  EXPECT_EQ(refused_with("connection", "upgraded"), 400);
  for (const auto* version : {"", "8", "13, 8", "013"})
    EXPECT_EQ(refused_with("sec-websocket-version", version), 426) << version;
  for (const auto* key : {"", "short==", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ=!",
                          "dGhlIHNhbXBsZSBub25j!Q==", "dGhlIHNhbXBsZSBub25jZQAA=="})
    EXPECT_EQ(refused_with("sec-websocket-key", key), 400) << key;
  auto twice = with(handshake());
  twice.headers.emplace_back("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
  EXPECT_EQ(check_handshake(twice)->status, 400);
  auto post = with(handshake());
  post.method = verb::post;
  EXPECT_EQ(check_handshake(post)->status, 405);
  auto old = with(handshake());
  old.version_minor = 0;
  EXPECT_EQ(check_handshake(old)->status, 400);
}

}  // namespace
}  // namespace skirmish::http
