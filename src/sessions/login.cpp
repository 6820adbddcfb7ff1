#include "sessions/login.hpp"

#include "core/digest.hpp"
#include "core/log.hpp"
#include "http/client_address.hpp"
#include "redis/views.hpp"
#include "sessions/sessions_keys.hpp"

namespace skirmish::sessions {
namespace {

using namespace std::chrono_literals;

constexpr int free_by_account = 5;
constexpr int free_by_address = 100;
constexpr std::chrono::milliseconds longest_wait = 60s;
constexpr std::chrono::milliseconds failures_kept = 15min;
constexpr std::chrono::milliseconds address_known = 30 * 24h;

const redis::script admit_script{
    "sessions/admit_login",
#include "sessions/admit_login.lua.inc"
};
const redis::script clear_script{
    "sessions/clear_login",
#include "sessions/clear_login.lua.inc"
};

const error refused{errc::unauthenticated, "the account or its secret is not right"};
const error too_often{errc::rate_limited, "too many attempts failed; try again later"};

}  // namespace

awaitable<std::chrono::milliseconds> login::admit(gate g) {
  const std::vector<std::string> names{login_key(keys_, g.account),
                                       login_address_key(keys_, g.address),
                                       login_known_key(keys_, g.account, g.address)};
  const std::vector<std::string> args{
      std::to_string(clock_.now().time_since_epoch().count()), std::to_string(free_by_account),
      std::to_string(free_by_address), std::to_string(longest_wait.count()),
      std::to_string(failures_kept.count())};
  const auto keys = redis::views(names);
  const auto values = redis::views(args);
  const auto reply = redis::checked(co_await redis_.eval(admit_script, keys, values));
  co_return std::chrono::milliseconds{reply.as_integer().value_or(0)};
}

awaitable<void> login::clear(gate g, std::chrono::milliseconds known_for) {
  const std::vector<std::string> names{login_key(keys_, g.account),
                                       login_address_key(keys_, g.address),
                                       login_known_key(keys_, g.account, g.address)};
  const std::vector<std::string> args{std::to_string(known_for.count())};
  const auto keys = redis::views(names);
  const auto values = redis::views(args);
  redis::checked(co_await redis_.eval(clear_script, keys, values));
}

awaitable<result<opened_session>> login::open(std::string player_id, std::int64_t epoch,
                                              std::string name, std::string method,
                                              std::chrono::milliseconds& wait) {
  const http::principal who{http::role::player, player_id};
  if (const auto banned = bans_ ? bans_->of(who) : std::nullopt) {
    wait = banned->left;
    co_return error{errc::forbidden, banned->detail};
  }
  co_return co_await sessions_.open(std::move(player_id), epoch, std::move(name),
                                    std::move(method));
}

awaitable<result<opened_session>> login::by_password(password_attempt a,
                                                     std::chrono::milliseconds& wait) {
  const bool by_id = !a.player_id.empty();
  const gate g{sha256_hex(by_id ? "id:" + a.player_id : "email:" + a.email),
               http::counted_address(a.address)};
  wait = co_await admit(g);
  if (wait > 0ms) co_return too_often;
  std::optional<account> found;
  if (by_id)
    found = co_await accounts_.find(a.player_id);
  else
    found = co_await accounts_.find_by_email(a.email);
  // Also when there is no such account: the answer takes the same time.
  const auto stored = found ? found->password_hash : std::string();
  const auto verdict = co_await hasher_.check(stored, a.password);
  if (!verdict.matches) co_return refused;
  co_await clear(g, address_known);
  if (verdict.is_outdated) {
    auto hash = co_await hasher_.hash(a.password);
    co_await accounts_.replace_hash(found->player_id, stored, std::move(hash));
  }
  co_return co_await open(found->player_id, found->epoch, std::move(a.name), "password", wait);
}

awaitable<result<opened_session>> login::by_device(device_attempt a,
                                                   std::chrono::milliseconds& wait) {
  const gate g{sha256_hex("device:" + a.device_id), http::counted_address(a.address)};
  wait = co_await admit(g);
  if (wait > 0ms) co_return too_often;
  const auto found = co_await accounts_.find_by_device(std::move(a.device_id), std::move(a.secret));
  if (!found) co_return refused;
  co_await clear(g, address_known);
  co_return co_await open(found->player_id, found->epoch, std::move(a.name), "device", wait);
}

awaitable<result<opened_session>> login::by_token(token_attempt a,
                                                  std::chrono::milliseconds& wait) {
  const gate g{sha256_hex("token:" + a.token), http::counted_address(a.address)};
  wait = co_await admit(g);
  if (wait > 0ms) co_return too_often;
  const auto proven = issuers_.verify(a.token, clock_.now());
  if (!proven) {
    log::info("token_refused", {{"error", proven.error().message}, {"address", a.address}});
    co_return refused;
  }
  co_await clear(g, 0ms);  // `account` is this token
  auto found = co_await accounts_.find(proven->player_id);
  if (!found) {
    co_await create_player_(proven->player_id, proven->name);
    found = co_await accounts_.find(proven->player_id);
  }
  if (!found) co_return error{errc::unavailable, "the player could not be created; try again"};
  co_return co_await open(found->player_id, found->epoch, std::move(a.name), "token", wait);
}

awaitable<result<opened_session>> login::vouched(std::string player_id, std::string name,
                                                 std::chrono::milliseconds& wait) {
  const auto found = co_await accounts_.find(player_id);
  if (!found) co_return error{errc::not_found, "there is no such player"};
  co_return co_await open(std::move(player_id), found->epoch, std::move(name), "server", wait);
}

awaitable<result<void>> login::change_password(std::string player_id,
                                               std::optional<std::string> current,
                                               std::string password, std::string address,
                                               std::chrono::milliseconds& wait) {
  if (current) {
    const gate g{sha256_hex("id:" + player_id), http::counted_address(address)};
    wait = co_await admit(g);
    if (wait > 0ms) co_return too_often;
    const auto found = co_await accounts_.find(player_id);
    const auto stored = found ? found->password_hash : std::string();
    const auto verdict = co_await hasher_.check(stored, *current);
    if (!verdict.matches) co_return refused;
    co_await clear(g, address_known);
  }
  auto hash = co_await hasher_.hash(std::move(password));
  auto changed = co_await accounts_.set_password(player_id, std::move(hash));
  if (!changed) co_return changed;
  co_await sessions_.announce_end_of_all(std::move(player_id));
  co_return result<void>{};
}

}  // namespace skirmish::sessions
