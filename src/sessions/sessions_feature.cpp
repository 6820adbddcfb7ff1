#include "sessions/sessions_feature.hpp"

#include "sessions/sessions_routes.hpp"

namespace skirmish::sessions {
namespace {

http::principal principal_of(const session& s) {
  http::principal out{http::role::player, s.player_id, s.digest};
  out.expires_at = s.ends_at;
  return out;
}

// The token of "Bearer <token>" (RFC 6750, section 2.1; the scheme's case does not matter).
std::optional<std::string> bearer_token(std::string_view header) {
  constexpr std::string_view scheme = "bearer ";
  if (header.size() <= scheme.size()) return std::nullopt;
  for (std::size_t i = 0; i < scheme.size(); ++i)
    if ((header[i] | 0x20) != (scheme[i] | 0x20)) return std::nullopt;
  return std::string(header.substr(scheme.size()));
}

}  // namespace

feature::feature(redis::client& redis, db::database& db, const redis::key_space& keys,
                 const clock& time, password_hasher& hasher, settings s, issuers trusted,
                 player_creator create_player)
    : hasher_(hasher),
      accounts_(db, time),
      sessions_(redis, db, keys, time, s),
      logins_(redis, keys, time, accounts_, hasher, sessions_, std::move(trusted),
              std::move(create_player)) {}

void feature::add_to(http::router& routes) { add_routes(routes, sessions_, logins_, accounts_); }

void feature::start(task_group& group) {
  group.keep_running("sessions", [this] { return sessions_.run(); });
  group.keep_running("session_uses", [this] { return sessions_.run_uses(); });
}

awaitable<std::optional<result<http::principal>>> feature::authenticate(const http::request& r) {
  using answer = std::optional<result<http::principal>>;
  const auto header = r.header("authorization");
  if (!header.empty()) {
    auto token = bearer_token(header);
    if (!token)
      co_return answer(
          error{errc::unauthenticated, "send the token as Authorization: Bearer st_…"});
    auto found = co_await sessions_.check(std::move(*token));
    if (!found) co_return answer(found.error());
    co_return answer(principal_of(*found));
  }
  const bool opens_websocket = !r.header("sec-websocket-key").empty();
  if (!opens_websocket || r.query.find("ticket=") == std::string::npos) co_return std::nullopt;
  const auto parameters = http::parse_query(r.query);
  if (!parameters) co_return std::nullopt;
  for (const auto& [name, value] : *parameters) {
    if (name != "ticket") continue;
    auto found = co_await sessions_.take_ticket(value);
    if (!found) co_return answer(found.error());
    co_return answer(principal_of(*found));
  }
  co_return std::nullopt;
}

}  // namespace skirmish::sessions
