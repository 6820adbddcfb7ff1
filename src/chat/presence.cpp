#include "chat/presence.hpp"

#include "chat/chat_keys.hpp"
#include "core/ids.hpp"
#include "core/log.hpp"
#include "core/repeat.hpp"

#include <algorithm>

namespace skirmish::chat {
namespace {

const redis::script presence_script{
    "chat/presence",
#include "chat/presence.lua.inc"
};

constexpr std::size_t players_per_call = 200;

}  // namespace

presence::presence(redis::client& redis, const redis::key_space& keys, const clock& time)
    : redis_(redis), keys_(keys), clock_(time), node_(random_hex(8)) {}

awaitable<void> presence::tell(std::string verb, std::string channel,
                               std::vector<std::string> players) {
  const auto key = presence_key(keys_, channel);
  const std::string_view keys[] = {key};
  for (std::size_t at = 0; at < players.size(); at += players_per_call) {
    const auto now = std::to_string(clock_.now().time_since_epoch().count());
    const auto ttl = std::to_string(std::chrono::milliseconds(presence_ttl).count());
    std::vector<std::string_view> args{keys_.prefix(), channel, verb, node_, now, ttl};
    const auto end = std::min(players.size(), at + players_per_call);
    for (auto i = at; i < end; ++i) args.push_back(players[i]);
    redis::checked(co_await redis_.eval(presence_script, keys, args));
  }
}

awaitable<void> presence::join(std::string channel, std::string player_id) {
  if (++here_[channel][player_id] > 1) co_return;
  std::vector<std::string> one{player_id};
  co_await tell("stay", std::move(channel), std::move(one));
}

awaitable<void> presence::leave(std::string channel, std::string player_id) {
  const auto players = here_.find(channel);
  if (players == here_.end()) co_return;
  const auto found = players->second.find(player_id);
  if (found == players->second.end() || --found->second > 0) co_return;
  players->second.erase(found);
  if (players->second.empty()) here_.erase(players);
  std::vector<std::string> one{player_id};
  co_await tell("leave", std::move(channel), std::move(one));
}

awaitable<std::vector<std::string>> presence::on(std::string channel, std::size_t limit) {
  const auto reply = redis::checked(
      co_await redis_.command("ZRANGEBYSCORE", presence_key(keys_, channel),
                              clock_.now().time_since_epoch().count(), "+inf", "LIMIT", 0, limit));
  auto out = reply.as_strings();
  std::erase_if(out, [](const std::string& id) { return !is_valid_id(id); });
  std::sort(out.begin(), out.end());
  co_return out;
}

awaitable<void> presence::run() {
  repeat how{.interval = presence_ttl / 3, .failed = "presence_not_renewed", .pauses_first = true};
  return repeat_every(std::move(how), [this] { return renew(); });
}

awaitable<void> presence::renew() {
  const auto snapshot = here_;
  for (const auto& [channel, players] : snapshot) {
    std::vector<std::string> ids;
    for (const auto& [id, connections] : players) ids.push_back(id);
    try {
      co_await tell("stay", channel, std::move(ids));
    } catch (const failure& e) {
      log::warn("presence_not_renewed", {{"channel", channel}, {"error", e.what()}});
    }
  }
}

awaitable<void> presence::leave_all() {
  const auto all = std::exchange(here_, {});
  for (const auto& [channel, players] : all) {
    std::vector<std::string> ids;
    for (const auto& [id, connections] : players) ids.push_back(id);
    co_await tell("leave", channel, std::move(ids));
  }
}

}  // namespace skirmish::chat
