#include "request_limits/request_policy.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skirmish::request_limits {
namespace {

using http::role;
using ::testing::HasSubstr;

template <class T>
std::string problem(const result<T>& r) {
  return r.has_error() ? r.error().message : "no error";
}

TEST(request_policy, patterns_name_routes_groups_and_messages) {
  const auto is_in = [](std::vector<std::string> routes, const char* method, const char* name) {
    return fits(routes, method, name);
  };
  EXPECT_TRUE(is_in({"POST /api/sessions"}, "POST", "/api/sessions"));
  EXPECT_FALSE(is_in({"POST /api/sessions"}, "GET", "/api/sessions"));
  EXPECT_FALSE(is_in({"POST /api/sessions"}, "POST", "/api/sessions/tickets"));
  EXPECT_TRUE(is_in({"/api/chat/*"}, "DELETE", "/api/chat/{channel}/messages/{id}"));
  EXPECT_FALSE(is_in({"/api/chat/*"}, "WS", "chat"));
  EXPECT_TRUE(is_in({"GET *"}, "GET", "/docs"));
  EXPECT_FALSE(is_in({"GET *"}, "PUT", "/docs"));
  EXPECT_TRUE(is_in({"WS *"}, "WS", "chat"));
  EXPECT_TRUE(is_in({"WS *"}, "WS", "")) << "a message without a known type";
  EXPECT_FALSE(is_in({"WS *"}, "GET", "/api/ws"));
  EXPECT_TRUE(is_in({"*"}, "WS", "chat"));
  EXPECT_TRUE(is_in({"*"}, "", "")) << "a request without a route";
  EXPECT_FALSE(is_in({"*"}, "EVENT", "chat")) << "its frame has paid";
  EXPECT_TRUE(is_in({"EVENT chat"}, "EVENT", "chat"));
  EXPECT_FALSE(is_in({"*", "!GET /docs"}, "GET", "/docs"));
  EXPECT_FALSE(is_in({"!GET /docs", "*"}, "GET", "/docs"));
  EXPECT_TRUE(is_in({"*", "!GET /docs"}, "POST", "/docs"));
}

TEST(request_policy, settings_lie_over_the_defaults) {
  const auto all = configured_policies({{"logins.rate", "60/m"},
                                        {"logins.shadow", "true"},
                                        {"own.routes", "GET /docs; /api/chat/*, WS chat"},
                                        {"own.by", "key"},
                                        {"own.rate", "0.5"},
                                        {"own.burst", "7"},
                                        {"own.lease_ttl", "500ms"}})
                       .value();
  ASSERT_EQ(all.size(), default_policies().size() + 1);
  EXPECT_DOUBLE_EQ(all[0].limit.rate_per_s, 1);
  EXPECT_EQ(all[0].limit.burst, 2'000);
  EXPECT_TRUE(all[0].limit.shadow);
  const auto& own = all.back();
  EXPECT_EQ(own.limit.name, "own");
  EXPECT_THAT(own.routes, ::testing::ElementsAre("GET /docs", "/api/chat/*", "WS chat"));
  EXPECT_THAT(own.roles, ::testing::ElementsAre(role::server));
  EXPECT_EQ(own.limit.lease_ttl, std::chrono::milliseconds{500});
}

TEST(request_policy, wrong_settings_name_the_nearest) {
  EXPECT_THAT(problem(check_setting("logins.brst", "5")), HasSubstr("did you mean `logins.burst`"));
  EXPECT_THAT(problem(check_setting("logins.zzzzzz", "5")), HasSubstr("the fields are routes, by"));
  EXPECT_THAT(problem(check_setting("burst", "5")), HasSubstr("like `logins.burst`"));
  EXPECT_THAT(problem(check_setting("a.b.burst", "5")), HasSubstr("is unknown"));
  EXPECT_THAT(problem(configured_policies({{"login.burst", "5"}})),
              HasSubstr("did you mean `logins`"));
  for (const auto* rate : {"0", "-1", "nan", "inf", "1e9", "5/d", "", "5 ", "5/s/s"})
    EXPECT_THAT(problem(check_setting("logins.rate", rate)), HasSubstr("must be a rate")) << rate;
  for (const auto* burst : {"-1", "1.5", "many", "99999999999"})
    EXPECT_THAT(problem(check_setting("logins.burst", burst)), HasSubstr("whole number")) << burst;
  EXPECT_THAT(problem(check_setting("logins.by", "planet")), HasSubstr("player, key, address"));
  EXPECT_THAT(problem(configured_policies({{"logins.burst", "0"}})), HasSubstr("burst must be"));
  EXPECT_THAT(problem(configured_policies({{"logins.routes", "!POST /api/sessions, !GET /docs"}})),
              HasSubstr("not only what is left out"));
  EXPECT_THAT(problem(configured_policies({{"logins.rate", "0.001"}, {"logins.burst", "31623"}})),
              HasSubstr("in 366 days: 31622 here"));
  EXPECT_TRUE(configured_policies({{"logins.rate", "0.001"}, {"logins.burst", "31622"}}));
  EXPECT_EQ(configured_policies({{"players.lease", "5000"}}).value()[2].limit.lease_tokens, 1'000)
      << "never more than the burst";
  EXPECT_THAT(problem(configured_policies({{"players.roles", "server"}})),
              HasSubstr("role server cannot be limited by player"));
}

TEST(request_policy, json_and_back) {
  for (const auto& p : default_policies()) {
    request_policy base;
    base.limit.name = p.limit.name;
    EXPECT_EQ(to_json(from_json(to_json(p), base).value()), to_json(p));
  }
  auto changed = default_policies()[0];
  changed = from_json({{"burst", 5}}, changed).value();
  EXPECT_EQ(changed.limit.burst, 5);
  EXPECT_EQ(changed.routes, default_policies()[0].routes);
  // Another subject has other usual roles.
  EXPECT_THAT(from_json({{"by", "player"}}, changed).value().roles,
              ::testing::ElementsAre(role::player));
  EXPECT_TRUE(from_json({{"roles", json::array{"king"}}}, changed).has_error());
}

}  // namespace
}  // namespace skirmish::request_limits
