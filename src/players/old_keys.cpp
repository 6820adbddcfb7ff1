#include "players/old_keys.hpp"

#include "core/log.hpp"
#include "players/players_keys.hpp"
#include "redis/script.hpp"

#include <boost/asio/steady_timer.hpp>

namespace skirmish::players {
namespace {

using namespace std::chrono_literals;

const redis::script move_script{
    "players/old_keys",
#include "players/old_keys.lua.inc"
};

constexpr std::string_view version = "2";
constexpr std::string_view old_ending = ":actions";
constexpr auto retry_pause = 1s;

awaitable<std::int64_t> move_page(redis::client& redis, const redis::key_space& keys,
                                  const std::vector<std::string>& old_names) {
  const auto front = keys.key("player:").size();
  const redis::string_views no_arguments;
  std::int64_t moved = 0;
  for (const auto& old_name : old_names) {
    const auto id = old_name.substr(front, old_name.size() - front - old_ending.size());
    if (!is_valid_id(id)) continue;
    const auto new_name = actions_key(keys, id);
    const std::string_view both[] = {old_name, new_name};
    const auto reply = redis::checked(co_await redis.eval(move_script, both, no_arguments));
    moved += reply.as_integer().value_or(0);
  }
  co_return moved;
}

awaitable<void> move_all(redis::client& redis, const redis::key_space& keys) {
  const auto done = redis::checked(co_await redis.command("GET", key_version_key(keys)));
  if (done.as_string() == version) co_return;
  const auto pattern = keys.key("player:*") + std::string(old_ending);
  std::string cursor = "0";
  std::int64_t moved = 0;
  do {
    const auto page = redis::checked(
        co_await redis.command("SCAN", cursor, "MATCH", pattern, "COUNT", 1000, "TYPE", "list"));
    cursor = page[0].as_string();
    const auto old_names = page[1].as_strings();
    moved += co_await move_page(redis, keys, old_names);
  } while (cursor != "0");
  redis::checked(co_await redis.command("SET", key_version_key(keys), version));
  if (moved > 0) log::info("old_keys_moved", {{"count", moved}});
}

}  // namespace

awaitable<void> move_old_keys(asio::io_context& io, redis::client& redis,
                              const redis::key_space& keys) {
  asio::steady_timer pause(io);
  while (true) {
    try {
      co_await redis.wait_connected(5s);
      co_await move_all(redis, keys);
      co_return;
    } catch (const failure& e) {
      log::warn("old_keys_not_moved", {{"error", e.what()}});
    }
    pause.expires_after(retry_pause);
    co_await pause.async_wait(use_awaitable);
  }
}

}  // namespace skirmish::players
