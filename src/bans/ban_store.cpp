#include "bans/ban_store.hpp"

#include "bans/bans_keys.hpp"
#include "core/ids.hpp"
#include "core/json_text.hpp"
#include "core/log.hpp"
#include "core/repeat.hpp"
#include "redis/views.hpp"

#include <algorithm>

namespace skirmish::bans {
namespace {

using namespace std::chrono_literals;

const redis::script put_script{
    "bans/put",
#include "bans/put.lua.inc"
};
const redis::script remove_script{
    "bans/remove",
#include "bans/remove.lua.inc"
};

std::string to_millis_text(timestamp t) { return std::to_string(t.time_since_epoch().count()); }

std::vector<std::string> names_of(const redis::key_space& keys) {
  return {bans_key(keys), until_key(keys), version_key(keys)};
}

std::string next_version() { return random_hex(8); }

}  // namespace

awaitable<std::vector<ban>> store::list() {
  const auto reply = redis::checked(co_await redis_.command("HGETALL", bans_key(keys_)));
  const auto now = clock_.now();
  std::vector<ban> out;
  for (const auto& [name, text] : reply.as_pairs()) {
    auto b = from_json(text);
    if (!b)
      log::warn("ban_ignored", {{"ban", name}});
    else if (b->until > now)
      out.push_back(std::move(*b));
  }
  std::sort(out.begin(), out.end(),
            [](const ban& a, const ban& b) { return name_of(a.of) < name_of(b.of); });
  co_return out;
}

awaitable<std::optional<ban>> store::find(subject of) {
  const auto reply = redis::checked(co_await redis_.command("HGET", bans_key(keys_), name_of(of)));
  auto b = reply.is_string() ? from_json(reply.as_string()) : std::nullopt;
  if (b && b->until <= clock_.now()) b.reset();
  co_return b;
}

awaitable<result<void>> store::put(ban b) {
  const auto names = names_of(keys_);
  const std::vector<std::string> args{
      to_millis_text(clock_.now()), name_of(b.of),  json_text_of(to_json(b)),
      to_millis_text(b.until),      next_version(), std::to_string(bans_max)};
  const auto keys = redis::views(names);
  const auto values = redis::views(args);
  const auto reply = redis::checked(co_await redis_.eval(put_script, keys, values));
  if (!reply.as_bool())
    co_return error{errc::conflict, "there are too many bans: " + std::to_string(bans_max)};
  co_return result<void>{};
}

awaitable<result<void>> store::remove(subject of) {
  const auto names = names_of(keys_);
  const std::vector<std::string> args{to_millis_text(clock_.now()), name_of(of), next_version()};
  const auto keys = redis::views(names);
  const auto values = redis::views(args);
  const auto reply = redis::checked(co_await redis_.eval(remove_script, keys, values));
  if (!reply.as_bool()) co_return error{errc::not_found, "there is no such ban"};
  co_return result<void>{};
}

watch::watch(asio::io_context& io, const redis::connection_config& redis,
             const redis::key_space& keys, const clock& time, ban_table& table)
    : redis_(io, redis, "skirmish-bans"),
      keys_(keys),
      store_(redis_, keys, time),
      table_(table),
      group_(io) {}

void watch::start() {
  group_.keep_running("bans_redis", [this] { return redis_.run(); });
  group_.keep_running("bans", [this] { return run(); });
}

awaitable<void> watch::stop() {
  redis_.stop();
  group_.close();
  co_await group_.wait(5s);
}

awaitable<void> watch::run() {
  repeat how{.interval = period, .failed = "bans_not_read"};
  return repeat_every(std::move(how), [this] { return look(); });
}

awaitable<void> watch::look() {
  const auto reply = redis::checked(co_await redis_.command("GET", version_key(keys_)));
  auto version = reply.is_string() ? reply.as_string() : std::string();
  if (seen_ == version) co_return;
  // A change between the two is seen the next time.
  table_.set(co_await store_.list());
  seen_ = std::move(version);
}

}  // namespace skirmish::bans
