#include "http/openapi.hpp"
#include "http/problem.hpp"
#include "http/router.hpp"
#include "http/shape.hpp"
#include "http/websocket_codec.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skirmish::http {
namespace {

using ::testing::HasSubstr;

std::vector<std::string> complaints(const shape& s, std::string_view body) {
  body_errors errors;
  s.check(json::parse(body), "", errors);
  std::vector<std::string> out;
  for (const auto& e : errors.listed()) out.push_back(e.pointer + ": " + e.message);
  return out;
}

TEST(shape, names_every_complaint_with_its_pointer) {
  const auto s = shape::object({{"name", shape::text(1, 5)},
                                {"n", shape::integer(0, 9), optional},
                                {"list", shape::array_of(shape::id(), 2), optional},
                                {"a/b", shape::boolean(), optional}});
  EXPECT_TRUE(complaints(s, R"({"name":"abc","n":9,"list":["a"],"a/b":true})").empty());
  EXPECT_THAT(complaints(s, R"({"n":1.5,"list":["ok","a b"],"a/b":1,"x":0})"),
              ::testing::ElementsAre("/name: is required", "/n: must be a whole number, 0 to 9",
                                     "/list/1: must be an id: 1 to 64 of A-Z a-z 0-9 _ . : -",
                                     "/a~1b: must be true or false", "/x: is not known here"));
  EXPECT_THAT(complaints(s, "[]"), ::testing::ElementsAre(": must be an object"));
  EXPECT_THAT(complaints(s, R"({"name":"a\u0000b"})"),
              ::testing::ElementsAre("/name: must not contain control characters"));
}

TEST(shape, complaints_are_bounded_in_number_and_length) {
  const auto s = shape::object({{"name", shape::text(1, 5)}});
  json::object body{{"name", "abc"}};
  for (int i = 0; i < 100'000; ++i) body[std::to_string(i)] = 0;
  body_errors errors;
  s.check(body, "", errors);
  EXPECT_EQ(errors.size(), 100'000U);
  const auto r = problem({errc::invalid_argument, "no"}, "r1", errors);
  EXPECT_LT(r.body.size(), 8'000U);
  EXPECT_THAT(r.body, HasSubstr("and 99950 more"));
  body_errors one;
  one.add("/" + std::string(254, 'x') + "\xC3\xA9" + std::string(1'000'000, 'y'), "is not known");
  EXPECT_EQ(one.listed().front().pointer, "/" + std::string(254, 'x') + "\xE2\x80\xA6");
}

TEST(shape, counts_characters_and_refuses_what_misleads_readers) {
  const auto name = shape::object({{"name", shape::line(1, 4)}});
  for (const auto* fine : {"Zo\u00eb!", "\u0416\u0416\u0416\u0416", "\\ud83d\\ude00"})
    EXPECT_TRUE(complaints(name, R"({"name":")" + std::string(fine) + R"("})").empty()) << fine;
  for (const auto* bad :
       {"", "12345", "a\\nb", "a\\tb", "\\u0085", "\\u202e", "\\u2066", "\\u2028"})
    EXPECT_FALSE(complaints(name, R"({"name":")" + std::string(bad) + R"("})").empty()) << bad;
  const auto text = shape::object({{"name", shape::text(1, 4)}});
  EXPECT_TRUE(complaints(text, R"({"name":"a\n\tb"})").empty());
  EXPECT_FALSE(complaints(text, R"({"name":"\u202a"})").empty());
}

TEST(shape, numbers_must_be_finite_and_in_range) {
  const auto s = shape::number(-90, 90);
  EXPECT_TRUE(complaints(s, "48.5").empty());
  EXPECT_TRUE(complaints(s, "7").empty());
  for (const auto* bad : {"1e400", "91", "\"5\"", "null", "true"})
    EXPECT_FALSE(complaints(s, bad).empty()) << bad;
}

TEST(shape, numbers_that_a_double_does_not_hold_are_refused) {
  const auto s = shape::number(-9'007'199'254'740'992.0, 9'007'199'254'740'992.0);
  for (const auto* good : {"9007199254740992", "-9007199254740992", "9007199254740991.0", "0.1"})
    EXPECT_TRUE(complaints(s, good).empty()) << good;
  for (const auto* bad : {"9007199254740993", "-9007199254740993", "9007199254740993.0",
                          "18446744073709551615", "9.1e15"})
    EXPECT_FALSE(complaints(s, bad).empty()) << bad;
}

TEST(query, is_decoded_and_bounded) {
  const auto parsed = parse_query("a=1&b=%C3%A9+x&&c").value();
  EXPECT_EQ(parsed, (fields{{"a", "1"}, {"b", "\xC3\xA9 x"}, {"c", ""}}));
  EXPECT_TRUE(parse_query("a=%4").has_error());
  EXPECT_TRUE(parse_query("a=%FF").has_error());
  std::string many;
  for (int i = 0; i < 65; ++i) many += "a=1&";
  EXPECT_TRUE(parse_query(many).has_error());
}

class router_fixture : public ::testing::Test {
 protected:
  router_fixture() : routes_(authenticate, metrics_) {
    auto echo = [](exchange& x) -> awaitable<response> {
      json::object seen{{"id", x.path("id")}, {"limit", x.query_integer("limit")}};
      co_return json_response(seen);
    };
    auto accept = [](exchange& x) -> awaitable<response> { co_return json_response(x.body, 201); };
    auto fail = [](exchange&) -> awaitable<response> {
      throw failure(errc::unavailable, "secret host is down");
      co_return response{};
    };
    routes_.add(
        {verb::get, "/things/{id}", access::anyone, "A thing", echo, {}, {limit_parameter()}});
    routes_.add({verb::post, "/things", access::server, "Make", accept,
                 shape::object({{"name", shape::text(1, 9)}})});
    routes_.add({verb::get, "/fails", access::anyone, "Fails", fail});
  }

  static awaitable<result<principal>> authenticate(const request& r) {
    const auto key = r.header("x-api-key");
    if (key.empty()) co_return principal{};
    if (key == "good") co_return principal{role::server, "k1"};
    if (key == "weak") co_return principal{role::player, "p1"};
    co_return error{errc::unauthenticated, "unknown key"};
  }

  response send(verb method, std::string path, fields headers = {}, std::string body = {}) {
    exchange x;
    x.request_id = "r1";
    x.req.method = method;
    const auto question = std::min(path.find('?'), path.size());
    x.req.query = question < path.size() ? path.substr(question + 1) : "";
    x.req.path = path.substr(0, question);
    x.req.headers = std::move(headers);
    x.req.body = std::move(body);
    asio::io_context io;
    response out;
    auto work = [&]() -> awaitable<void> { out = co_await routes_.dispatch(x); };
    asio::co_spawn(io, work, asio::detached);
    io.run();
    return out;
  }

  metrics::registry metrics_;
  router routes_;
};

TEST_F(router_fixture, path_and_query_parameters) {
  EXPECT_EQ(send(verb::get, "/things/a%2Db?limit=7").body, R"({"id":"a-b","limit":7})");
  EXPECT_EQ(send(verb::get, "/things/x").body, R"({"id":"x","limit":50})");
  for (const auto* bad : {"/things/a%20b", "/things/%zz", "/things/a?limit=0", "/things/a?limit=x",
                          "/things/a?q=%FF"})
    EXPECT_EQ(send(verb::get, bad).status, 400) << bad;
}

TEST_F(router_fixture, unknown_routes_and_methods) {
  EXPECT_EQ(send(verb::get, "/nothing").status, 404);
  EXPECT_EQ(send(verb::get, "/things/a/b").status, 404);
  const auto wrong = send(verb::delete_, "/things");
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(wrong.headers.back(), (std::pair<std::string, std::string>{"Allow", "POST"}));
}

TEST_F(router_fixture, access) {
  const std::string body = R"({"name":"x"})";
  EXPECT_EQ(send(verb::post, "/things", {}, body).status, 401);
  EXPECT_EQ(send(verb::post, "/things", {{"x-api-key", "bad"}}, body).status, 401);
  EXPECT_EQ(send(verb::post, "/things", {{"x-api-key", "weak"}}, body).status, 403);
  EXPECT_EQ(send(verb::post, "/things", {{"x-api-key", "good"}}, body).status, 201);
}

TEST_F(router_fixture, bad_bodies_are_refused_before_the_handler) {
  const fields key{{"x-api-key", "good"}};
  for (const auto* bad : {"", "{", "[]", "null", R"({"name":""})", R"({"name":NaN})",
                          "{\"name\":\"\xFF\"}", R"({"name":"x","more":1})"})
    EXPECT_EQ(send(verb::post, "/things", key, bad).status, 400) << bad;
  EXPECT_EQ(send(verb::post, "/things", key, std::string(100, '[')).status, 400);
  EXPECT_EQ(
      send(verb::post, "/things", {{"x-api-key", "good"}, {"content-type", "text/plain"}}, "{}")
          .status,
      415);
}

TEST_F(router_fixture, failures_do_not_show_internals) {
  const auto r = send(verb::get, "/fails");
  EXPECT_EQ(r.status, 503);
  EXPECT_THAT(r.body, ::testing::Not(HasSubstr("secret")));
  EXPECT_THAT(r.body, HasSubstr("\"code\":\"unavailable\""));
  EXPECT_EQ(r.content_type, "application/problem+json");
}

TEST_F(router_fixture, the_head_decides_before_the_body) {
  exchange x;
  x.req.method = verb::post;
  x.req.path = "/things";
  asio::io_context io;
  admission out;
  auto work = [&]() -> awaitable<void> { out = co_await routes_.admit(x); };
  asio::co_spawn(io, work, asio::detached);
  io.run();
  EXPECT_EQ(out.to, nullptr);
  EXPECT_EQ(out.refusal.status, 401);
}

TEST_F(router_fixture, pages_of_other_sites_may_not_use_a_key) {
  exchange x;
  x.is_cross_site = true;
  EXPECT_FALSE(refuse_cross_site(x)) << "no key, nothing to protect";
  x.req.headers = {{"x-api-key", "good"}};
  EXPECT_EQ(refuse_cross_site(x)->status, 403);
}

TEST_F(router_fixture, openapi_lists_every_route) {
  const auto doc = openapi_document(routes_);
  EXPECT_EQ(doc.at("openapi"), "3.1.0");
  EXPECT_TRUE(doc.at("paths").at("/things").at("post").at("requestBody").is_object());
  EXPECT_EQ(doc.at("paths").at("/things/{id}").at("get").at("parameters").as_array().size(), 2U);
}

}  // namespace
}  // namespace skirmish::http
