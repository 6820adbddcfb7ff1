#include "console/console_feature.hpp"

namespace skirmish::console {
namespace {

// A browser says from where a request comes that may change something. Pages of other sites have
// been refused by then (http::refuse_cross_site).
bool says_where_from(const http::request& r) {
  const bool is_safe = r.method == http::verb::get || r.method == http::verb::head;
  const bool opens_websocket = !r.header("sec-websocket-key").empty();
  if (is_safe && !opens_websocket) return true;
  const auto site = r.header("sec-fetch-site");
  return !r.header("origin").empty() && (site.empty() || site == "same-origin");
}

}  // namespace

awaitable<std::optional<result<http::principal>>> feature::authenticate(const http::request& r) {
  using answer = std::optional<result<http::principal>>;
  const auto token = token_in(r.header("cookie"));
  if (token.empty()) co_return std::nullopt;
  if (!says_where_from(r))
    co_return answer(
        error{errc::forbidden, "the console's cookie is for its pages; scripts send X-API-Key"});
  auto found = co_await sessions_.check(std::string(token));
  if (!found) co_return answer(found.error());
  co_return answer(std::move(found->who));
}

}  // namespace skirmish::console
