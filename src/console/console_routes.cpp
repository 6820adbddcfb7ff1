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

const error foreign_page{errc::forbidden, "pages of this origin may not log in here"};

awaitable<response> open(session_store& sessions, exchange& x) {
  auto made = co_await sessions.open(x.who);
  if (!made) co_return problem(made.error(), x.request_id);
  co_return std::move(
      private_response(made->row, 201)
          .with("Set-Cookie",
                cookie(made->token, std::chrono::seconds{session_life}.count(), x.req.is_secure)));
}

awaitable<response> log_in(session_store& sessions, login_guard& logins, exchange& x) {
  auto key = *x.text("key");
  x.who.id = key_id_in(key);
  auto hasty = co_await logins.admit_address(x);
  if (hasty) co_return std::move(*hasty);
  if (!is_of_own_page(x.req)) co_return co_await logins.fail(x, foreign_page);
  auto who = co_await sessions.verify(std::move(key));
  if (!who) co_return co_await logins.fail(x, who.error());
  x.who = std::move(*who);
  hasty = co_await logins.admit_key(x);
  if (hasty) co_return std::move(*hasty);
  const handler work = [&sessions](exchange& asked) { return open(sessions, asked); };
  co_return co_await logins.noted(x, work);
}

awaitable<response> current(session_store& sessions, exchange& x) {
  const auto found = co_await sessions.check(std::string(token_in(x.req.header("cookie"))));
  if (!found) co_return problem(found.error(), x.request_id);
  co_return private_response(*found, 200);
}

awaitable<response> close(session_store& sessions, exchange& x) {
  co_await sessions.close(x.who.session);
  co_return std::move(no_content().with("Set-Cookie", cookie("", 0, x.req.is_secure)));
}

awaitable<response> log_out(session_store& sessions, login_guard& logins, exchange& x) {
  if (!is_of_own_page(x.req)) co_return problem(foreign_page, x.request_id);
  auto found = co_await sessions.check(std::string(token_in(x.req.header("cookie"))));
  if (!found) co_return problem(found.error(), x.request_id);
  x.who = std::move(found->who);
  const handler work = [&sessions](exchange& asked) { return close(sessions, asked); };
  co_return co_await logins.noted(x, work);
}

}  // namespace

void add_routes(router& routes, session_store& sessions, login_guard& logins) {
  const auto form = schema::object({{"role", schema::word({"admin", "viewer"})},
                                    {"name", schema::text()},
                                    {"key_id", schema::text()},
                                    {"expires_at", schema::time()}});
  routes
      .add({verb::post,
            std::string(session_path),
            access::anyone,
            "Open a browser session of an API key",
            [&sessions, &logins](exchange& x) { return log_in(sessions, logins, x); },
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
            std::string(session_path),
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
            std::string(session_path),
            access::anyone,
            "Log out",
            [&sessions, &logins](exchange& x) { return log_out(sessions, logins, x); },
            {},
            {},
            "204, and the cookie is gone. In force on every server within a second."})
      .gives_nothing()
      .refuses({401, 403});
}

}  // namespace skirmish::console
