#include "sessions/sessions_routes.hpp"

#include "http/json_schema.hpp"

#include <boost/json/array.hpp>

#include <algorithm>
#include <initializer_list>
#include <iterator>

namespace skirmish::sessions {
namespace {

namespace json = boost::json;
using namespace http;
using std::chrono::milliseconds;

response refused(const exchange& x, const error& e, milliseconds wait = {}) {
  // Logins are forbidden to those who are banned, for so long.
  if (e.code == errc::forbidden && wait.count() > 0)
    return answer_to_banned({e.message, wait}, x.request_id);
  auto r = problem(e, x.request_id);
  if (e.code == errc::rate_limited) set_retry_after(r, wait);
  return r;
}

// What nobody may keep: it holds a secret, or is only for one.
response private_response(const json::value& body, int status = 200) {
  return std::move(json_response(body, status).with("Cache-Control", "no-store"));
}

json::object to_json(const session& s, std::string_view current_digest) {
  return {{"session_id", s.session_id},
          {"player_id", s.player_id},
          {"name", s.name},
          {"method", s.method},
          {"created_at", to_rfc3339(s.created_at)},
          {"last_used_at", to_rfc3339(s.seen_at)},
          {"expires_at", to_rfc3339(s.ends_at)},
          {"is_current", s.digest == current_digest}};
}

response opened(const opened_session& s) {
  return private_response(json::object{{"token", s.token},
                                       {"session_id", s.row.session_id},
                                       {"player_id", s.row.player_id},
                                       {"expires_at", to_rfc3339(s.row.ends_at)}},
                          201);
}

std::optional<response> unless_allowed(const exchange& x) {
  if (x.who.may_act_as(x.path("id"))) return std::nullopt;
  return refused(x, {errc::forbidden, "a player may act only as itself"});
}

// For routes of the session that the request itself carries.
std::optional<response> unless_session(const exchange& x) {
  if (!x.who.session.empty()) return std::nullopt;
  return refused(x, {errc::forbidden, "this is for a player's session token, not for a key"});
}

awaitable<response> open(login& logins, exchange& x) {
  const auto holds_just = [&x](std::initializer_list<std::string_view> wanted) {
    constexpr std::string_view proofs[] = {"player_id", "email",         "password",
                                           "device_id", "device_secret", "token"};
    return std::all_of(std::begin(proofs), std::end(proofs), [&](std::string_view name) {
      const bool is_wanted = std::find(wanted.begin(), wanted.end(), name) != wanted.end();
      return x.text(name).has_value() == is_wanted;
    });
  };
  const bool by_id = holds_just({"player_id", "password"});
  const bool by_password = by_id || holds_just({"email", "password"});
  const bool by_device = holds_just({"device_id", "device_secret"});
  const bool by_token = holds_just({"token"});
  const auto name = x.text("name").value_or("");
  milliseconds wait{0};
  if (by_password) {
    password_attempt attempt{x.text("player_id").value_or(""), x.text("email").value_or(""),
                             *x.text("password"), name, x.req.remote_address};
    auto made = co_await logins.by_password(std::move(attempt), wait);
    co_return made ? opened(*made) : refused(x, made.error(), wait);
  }
  if (by_device) {
    device_attempt attempt{*x.text("device_id"), *x.text("device_secret"), name,
                           x.req.remote_address};
    auto made = co_await logins.by_device(std::move(attempt), wait);
    co_return made ? opened(*made) : refused(x, made.error(), wait);
  }
  if (by_token) {
    token_attempt attempt{*x.text("token"), name, x.req.remote_address};
    auto made = co_await logins.by_token(std::move(attempt), wait);
    co_return made ? opened(*made) : refused(x, made.error(), wait);
  }
  co_return refused(x, {errc::invalid_argument,
                        "send player_id or email with password, or device_id with device_secret, "
                        "or token"});
}

awaitable<response> vouch(login& logins, exchange& x) {
  milliseconds wait{0};
  auto made = co_await logins.vouched(x.path("id"), x.text("name").value_or(""), wait);
  co_return made ? opened(*made) : refused(x, made.error(), wait);
}

awaitable<response> read_current(service& sessions, exchange& x) {
  if (auto no = unless_session(x)) co_return std::move(*no);
  const auto all = co_await sessions.list(x.who.id);
  for (const auto& s : all)
    if (s.digest == x.who.session) co_return private_response(to_json(s, x.who.session));
  co_return refused(x, {errc::unauthenticated, "this session token is not valid"});
}

awaitable<response> end_current(service& sessions, exchange& x) {
  if (auto no = unless_session(x)) co_return std::move(*no);
  co_await sessions.close_digest(x.who.id, x.who.session);
  co_return no_content();
}

awaitable<response> make_ticket(service& sessions, exchange& x) {
  if (auto no = unless_session(x)) co_return std::move(*no);
  auto ticket = co_await sessions.make_ticket(x.who.session);
  json::object body{{"ticket", std::move(ticket)}, {"expires_in_s", 30}};
  co_return private_response(body, 201);
}

awaitable<response> list(service& sessions, exchange& x) {
  if (auto no = unless_allowed(x)) co_return std::move(*no);
  const auto all = co_await sessions.list(x.path("id"));
  json::array items;
  for (const auto& s : all) items.push_back(to_json(s, x.who.session));
  json::object body{{"items", std::move(items)}};
  co_return private_response(body);
}

awaitable<response> end_one(service& sessions, exchange& x) {
  if (auto no = unless_allowed(x)) co_return std::move(*no);
  auto ended = co_await sessions.close(x.path("id"), x.path("session_id"));
  co_return ended ? no_content() : refused(x, ended.error());
}

awaitable<response> end_all(service& sessions, exchange& x) {
  if (auto no = unless_allowed(x)) co_return std::move(*no);
  auto ended = co_await sessions.close_all(x.path("id"));
  co_return ended ? no_content() : refused(x, ended.error());
}

awaitable<response> change_password(login& logins, exchange& x) {
  if (auto no = unless_allowed(x)) co_return std::move(*no);
  auto current = x.text("current_password");
  if (x.who.as == role::player && !current)
    co_return refused(x, {errc::invalid_argument, "current_password is missing"});
  milliseconds wait{0};
  auto changed = co_await logins.change_password(x.path("id"), std::move(current),
                                                 *x.text("password"), x.req.remote_address, wait);
  co_return changed ? no_content() : refused(x, changed.error(), wait);
}

json::object to_json(const device& d) {
  return {{"device_id", d.device_id}, {"name", d.name}, {"created_at", to_rfc3339(d.created_at)}};
}

awaitable<response> add_device(credentials& accounts, exchange& x) {
  if (auto no = unless_allowed(x)) co_return std::move(*no);
  auto made = co_await accounts.add_device(x.path("id"), x.text("name").value_or(""));
  if (!made) co_return refused(x, made.error());
  auto body = to_json(made->row);
  body["device_secret"] = made->secret;
  co_return private_response(body, 201);
}

awaitable<response> list_devices(credentials& accounts, exchange& x) {
  if (auto no = unless_allowed(x)) co_return std::move(*no);
  const auto all = co_await accounts.devices(x.path("id"));
  json::array items;
  for (const auto& d : all) items.push_back(to_json(d));
  json::object body{{"items", std::move(items)}};
  co_return private_response(body);
}

awaitable<response> remove_device(credentials& accounts, exchange& x) {
  if (auto no = unless_allowed(x)) co_return std::move(*no);
  auto removed = co_await accounts.remove_device(x.path("id"), x.path("device_id"));
  co_return removed ? no_content() : refused(x, removed.error());
}

json::value device_form(bool with_secret) {
  std::vector<schema::property> members{
      {"device_id", schema::id()}, {"name", schema::text()}, {"created_at", schema::time()}};
  if (with_secret) members.push_back({"device_secret", schema::text()});
  return schema::object(members);
}

template <class Part>
auto bind(Part& part, awaitable<response> (*handle)(Part&, exchange&)) {
  return [&part, handle](exchange& x) { return handle(part, x); };
}

member name_member() { return {"name", shape::text(0, 64), optional, "what its owner calls it"}; }

void add_session_routes(router& routes, service& sessions, login& logins) {
  const auto session_form =
      schema::object({{"session_id", schema::id()},
                      {"player_id", schema::id()},
                      {"name", schema::text()},
                      {"method", schema::word({"password", "device", "token", "server"})},
                      {"created_at", schema::time()},
                      {"last_used_at", schema::time()},
                      {"expires_at", schema::time()},
                      {"is_current", schema::boolean()}});
  const auto opened_form = schema::object({{"token", schema::text()},
                                           {"session_id", schema::id()},
                                           {"player_id", schema::id()},
                                           {"expires_at", schema::time()}});
  const auto list_form = schema::object({{"items", schema::array_of(session_form)}});
  const char* token = "201 {token, session_id, player_id, expires_at}; the token is shown once.";
  routes
      .add({verb::post,
            "/api/sessions",
            access::anyone,
            "Log in: a player proves who it is and gets a session token",
            bind(logins, open),
            shape::object({{"player_id", shape::id(), optional},
                           {"email", shape::text(3, 254), optional, "instead of player_id"},
                           {"password", shape::text(1, 256), optional},
                           {"device_id", shape::id(), optional},
                           {"device_secret", shape::text(1, 128), optional},
                           {"token", shape::text(1, jwt_max_bytes), optional,
                            "a JSON Web Token of a trusted issuer"},
                           name_member()}),
            {},
            std::string(token) + " 401 whatever was wrong; 429 with Retry-After after failures."})
      .gives(201, opened_form)
      .refuses({401, 429})
      .costs(10);
  routes
      .add({verb::get,
            "/api/sessions/current",
            access::player,
            "The session of this token",
            bind(sessions, read_current),
            {},
            {},
            "The session."})
      .gives(200, session_form);
  routes
      .add({verb::delete_,
            "/api/sessions/current",
            access::player,
            "Log out",
            bind(sessions, end_current),
            {},
            {},
            "204."})
      .gives_nothing();
  routes
      .add({verb::post,
            "/api/sessions/tickets",
            access::player,
            "A ticket that opens one WebSocket, /api/ws?ticket=…, within 30 s",
            bind(sessions, make_ticket),
            {},
            {},
            "201 {ticket, expires_in_s}."})
      .gives(201, schema::object({{"ticket", schema::text()}, {"expires_in_s", schema::count()}}));
  routes
      .add({verb::post,
            "/api/players/{id}/sessions",
            access::server,
            "Open a session for a player that a game server vouches for",
            bind(logins, vouch),
            shape::object({name_member()}),
            {},
            token})
      .gives(201, opened_form)
      .refuses({404});
  routes
      .add({verb::get,
            "/api/players/{id}/sessions",
            access::player,
            "A player's sessions",
            bind(sessions, list),
            {},
            {},
            "{items}, the newest first."})
      .gives(200, list_form);
  routes
      .add({verb::delete_,
            "/api/players/{id}/sessions",
            access::player,
            "Log out everywhere: end all sessions of a player",
            bind(sessions, end_all),
            {},
            {},
            "204."})
      .gives_nothing()
      .refuses({404});
  routes
      .add({verb::delete_,
            "/api/players/{id}/sessions/{session_id}",
            access::player,
            "End one session of a player",
            bind(sessions, end_one),
            {},
            {},
            "204."})
      .gives_nothing()
      .refuses({404});
}

}  // namespace

void add_routes(router& routes, service& sessions, login& logins, credentials& accounts) {
  add_session_routes(routes, sessions, logins);
  routes
      .add({verb::put,
            "/api/players/{id}/password",
            access::player,
            "Set a player's password; ends all its sessions",
            bind(logins, change_password),
            shape::object({{"password", shape::text(8, 256)},
                           {"current_password", shape::text(1, 256), optional,
                            "a player itself must send it"}}),
            {},
            "204."})
      .gives_nothing()
      .refuses({404, 429})
      .costs(10);
  routes
      .add({verb::post,
            "/api/players/{id}/devices",
            access::player,
            "Register a device, whose secret opens sessions",
            bind(accounts, add_device),
            shape::object({name_member()}),
            {},
            "201 {device_id, device_secret, name, created_at}; the secret is shown once."})
      .gives(201, device_form(true))
      .refuses({404, 409});
  routes
      .add({verb::get,
            "/api/players/{id}/devices",
            access::player,
            "A player's devices",
            bind(accounts, list_devices),
            {},
            {},
            "{items}."})
      .gives(200, schema::object({{"items", schema::array_of(device_form(false))}}));
  routes
      .add({verb::delete_,
            "/api/players/{id}/devices/{device_id}",
            access::player,
            "Forget a device",
            bind(accounts, remove_device),
            {},
            {},
            "204."})
      .gives_nothing()
      .refuses({404});
}

}  // namespace skirmish::sessions
