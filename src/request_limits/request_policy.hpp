// A limit of requests as operators write it: which requests, whose, and how many.
#pragma once

#include "core/error.hpp"
#include "http/exchange.hpp"
#include "skirmish/rate_limit.hpp"

#include <boost/json/object.hpp>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skirmish::request_limits {

namespace json = boost::json;

// Whose requests are counted together.
enum class subject { player, key, address };

struct request_policy {
  rate_policy limit;  // with the policy's name
  // What is limited: `POST /api/sessions` (as the API's document writes the path), `/api/chat/*`
  // (any method), `WS chat` (a type of WebSocket message), `EVENT chat` (events of a batch or a
  // frame),
  // `*` (all requests and messages). One behind a `!` is not.
  std::vector<std::string> routes;
  subject by = subject::address;
  std::vector<http::role> roles;  // whom it concerns
  bool enabled = true;
  bool operator==(const request_policy&) const = default;
};

inline constexpr std::size_t policies_max = 64;

// Whether a request of this method to this route (as the document writes its path) is limited by
// these patterns.
bool fits(const std::vector<std::string>& routes, std::string_view method, std::string_view name);

// What holds without a configuration.
std::vector<request_policy> default_policies();

// Settings are `<policy>.<field>` and a value, like `logins.burst` and `200`. An error says what is
// wrong with one, and which name is nearest.
using setting_list = std::vector<std::pair<std::string, std::string>>;
result<void> check_setting(std::string_view key, std::string_view value);
// The default policies with these settings over them; a name that is new makes a policy of its own.
result<std::vector<request_policy>> configured_policies(const setting_list& settings);

// As the API has it.
json::object to_json(const request_policy& p);
// Members that are missing are as in `base`. An error when it is not whole or out of range.
result<request_policy> from_json(const json::object& members, request_policy base);

}  // namespace skirmish::request_limits
