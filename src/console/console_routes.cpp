#include "console/console_routes.hpp"

#include "console/console_keys.hpp"
#include "http/json_schema.hpp"
#include "http/problem.hpp"

#include <fmt/format.h>

namespace skirmish::console {
namespace {

namespace json = boost::json;
using namespace http;

constexpr std::int64_t login_cost = 10;

response private_response(const session& s, int status) {
  return std::move(json_response(json::object{{"role", s.role},
                                              {"name", s.name},
                                              {"key_id", s.key_id},
                                              {"expires_at", to_rfc3339(s.ends_at)}},
                                 status)
                       .with("Cache-Control", "no-store"));
}

// SameSite: no other site's page can make a browser send it (RFC 6265bis, section 5.6).
std::string cookie(std::string_view token, std::int64_t life_s, bool is_secure) {
  return fmt::format("{}={}; Path=/; Max-Age={}; HttpOnly; SameSite=Strict{}", console_cookie,
                     token, life_s, is_secure ? "; Secure" : "");
}

response refused_page(const exchange& x) {
  return problem({errc::forbidden, "pages of this origin may not log in here"}, x.request_id);
}

awaitable<response> open(session_store& sessions, exchange& x) {
  if (x.is_cross_site) co_return refused_page(x);
  auto made = co_await sessions.open(*x.text("key"));
  if (!made) co_return problem(made.error(), x.request_id);
  co_return std::move(
      private_response(made->row, 201)
          .with("Set-Cookie",
                cookie(made->token, std::chrono::seconds{session_life}.count(), x.req.is_secure)));
}

awaitable<response> current(session_store& sessions, exchange& x) {
  const auto found = co_await sessions.check(std::string(token_in(x.req.header("cookie"))));
  if (!found) co_return problem(found.error(), x.request_id);
  co_return private_response(*found, 200);
}

awaitable<response> close(session_store& sessions, exchange& x) {
  if (x.is_cross_site) co_return refused_page(x);
  const auto found = co_await sessions.check(std::string(token_in(x.req.header("cookie"))));
  if (!found) co_return problem(found.error(), x.request_id);
  co_await sessions.close(found->digest);
  co_return std::move(no_content().with("Set-Cookie", cookie("", 0, x.req.is_secure)));
}

}  // namespace

void add_routes(router& routes, session_store& sessions) {
  const auto form = schema::object({{"role", schema::word({"server", "admin", "viewer"})},
                                    {"name", schema::text()},
                                    {"key_id", schema::text()},
                                    {"expires_at", schema::time()}});
  constexpr std::string_view path = "/api/console/session";
  routes
      .add({verb::post,
            std::string(path),
            access::anyone,
            "Open a browser session of an API key",
            [&sessions](exchange& x) { return open(sessions, x); },
            shape::object({{"key", shape::line(1, 200)}}),
            {},
            "201; the session is a cookie that scripts cannot read. It may do what the key may, "
            "from "
            "pages of this server only, for 12 hours or until the key ends."})
      .gives(201, form)
      .refuses({401, 403})
      .costs(login_cost);
  routes
      .add({verb::get,
            std::string(path),
            access::anyone,
            "Who is logged in",
            [&sessions](exchange& x) { return current(sessions, x); },
            {},
            {},
            "The session of the request's cookie; 401 without one."})
      .gives(200, form)
      .refuses({401});
  routes
      .add({verb::delete_,
            std::string(path),
            access::anyone,
            "Log out",
            [&sessions](exchange& x) { return close(sessions, x); },
            {},
            {},
            "204, and the cookie is gone. In force on every server within a second."})
      .gives_nothing()
      .refuses({401, 403});
}

}  // namespace skirmish::console
