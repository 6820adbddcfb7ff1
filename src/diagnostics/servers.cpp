#include "diagnostics/servers.hpp"

#include "core/ids.hpp"
#include "core/json_text.hpp"
#include "core/log.hpp"
#include "core/repeat.hpp"
#include "diagnostics/diagnostics_keys.hpp"

#include <boost/asio/ip/host_name.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/parse.hpp>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace skirmish::diagnostics {
namespace {

namespace json = boost::json;
using std::chrono::milliseconds;

std::string host_name() {
  error_code ec;
  auto name = asio::ip::host_name(ec);
  return ec ? "unknown" : name;
}

std::int64_t number(const json::object& from, std::string_view name) {
  const auto* found = from.if_contains(name);
  return found && found->is_int64() ? found->get_int64() : 0;
}

std::string text(const json::object& from, std::string_view name) {
  const auto* found = from.if_contains(name);
  return found && found->is_string() ? std::string(found->get_string()) : std::string();
}

// Nothing for what no server wrote.
std::optional<server> parse(const std::string& id, const std::string& stored, timestamp now) {
  error_code ec;
  const auto value = json::parse(stored, ec);
  if (ec || !value.is_object()) return std::nullopt;
  const auto& o = value.get_object();
  server out;
  out.id = id;
  out.role = text(o, "role");
  if (std::ranges::find(roles, out.role) == roles.end()) out.role = "serve";  // as older ones are
  out.host = text(o, "host");
  out.pid = number(o, "pid");
  out.version = text(o, "version");
  out.started_at = timestamp{milliseconds{number(o, "started_at")}};
  out.seen_at = timestamp{milliseconds{number(o, "seen_at")}};
  out.connections = number(o, "connections");
  out.threads = number(o, "threads");
  out.is_lost = now - out.seen_at > lost_after;
  return out;
}

}  // namespace

servers::servers(redis::client& redis, const redis::key_space& keys, const clock& time,
                 metrics::registry& metrics, std::function<std::size_t()> threads, std::string role)
    : redis_(redis),
      keys_(keys),
      connections_(metrics.add_gauge("skirmish_http_connections", "Open connections.")),
      threads_(std::move(threads)),
      role_(std::move(role)),
      id_(random_hex(8)),
      started_at_(time.now()) {}

// Of all processes the same, whatever their own clocks say.
awaitable<timestamp> servers::time_of_redis() {
  const auto now = redis::checked(co_await redis_.command("TIME"));
  const auto s = now[0].as_integer().value_or(0);
  const auto us = now[1].as_integer().value_or(0);
  co_return timestamp{milliseconds{s * 1'000 + us / 1'000}};
}

awaitable<void> servers::beat() {
  const auto now = co_await time_of_redis();
  if (is_leaving_) co_return;
  json::object about{{"role", role_},
                     {"host", host_name()},
                     {"pid", static_cast<std::int64_t>(::getpid())},
                     {"version", SKIRMISH_VERSION},
                     {"started_at", started_at_.time_since_epoch().count()},
                     {"seen_at", now.time_since_epoch().count()},
                     {"connections", connections_.value()},
                     {"threads", threads_()}};
  redis::checked(co_await redis_.command("HSET", servers_key(keys_), id_, json_text_of(about)));
  if (!is_listed_) co_await remove_old(now);
  is_listed_ = true;
}

// When a server starts: so a crash in a loop leaves no more than an hour of itself.
awaitable<void> servers::remove_old(timestamp now) {
  const auto stored = redis::checked(co_await redis_.command("HGETALL", servers_key(keys_)));
  const auto pairs = stored.as_pairs();
  std::vector<server> lost;
  redis::request commands;
  bool has_any = false;
  for (const auto& [id, text] : pairs) {
    auto found = parse(id, text, now);
    if (found && now - found->seen_at <= lost_kept) {
      if (found->is_lost) lost.push_back(std::move(*found));
      continue;
    }
    commands.push("HDEL", servers_key(keys_), id);
    has_any = true;
  }
  std::ranges::sort(lost, std::ranges::greater{}, &server::seen_at);
  constexpr std::size_t lost_limit = 100;
  for (std::size_t i = lost_limit; i < lost.size(); ++i) {
    commands.push("HDEL", servers_key(keys_), lost[i].id);
    has_any = true;
  }
  if (has_any) redis::checked(co_await redis_.exec(std::move(commands)));
}

awaitable<void> servers::run() {
  repeat how{.interval = beat_interval, .failed = "server_not_announced"};
  return repeat_every(std::move(how), [this] { return beat(); });
}

awaitable<void> servers::leave() {
  is_leaving_ = true;
  if (!is_listed_) co_return;
  try {
    redis::checked(co_await redis_.command("HDEL", servers_key(keys_), id_));
  } catch (const failure& e) {
    log::debug("server_not_taken_out", {{"error", e.what()}});
  }
}

awaitable<std::vector<server>> servers::list() {
  const auto now = co_await time_of_redis();
  const auto stored = redis::checked(co_await redis_.command("HGETALL", servers_key(keys_)));
  const auto pairs = stored.as_pairs();
  std::vector<server> out;
  for (const auto& [id, text] : pairs) {
    auto found = parse(id, text, now);
    if (found && now - found->seen_at <= lost_kept) out.push_back(std::move(*found));
  }
  std::ranges::sort(out, std::ranges::greater{}, &server::seen_at);
  if (out.size() > listed_limit) out.resize(listed_limit);
  co_return out;
}

}  // namespace skirmish::diagnostics
