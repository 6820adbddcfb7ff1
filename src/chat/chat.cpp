#include "chat/chat.hpp"

#include "chat/chat_keys.hpp"
#include "chat/moderation.hpp"
#include "core/ids.hpp"
#include "core/json_text.hpp"
#include "core/parse.hpp"
#include "core/text.hpp"
#include "players/players.hpp"
#include "redis/damaged_keys.hpp"

#include <boost/json/parse.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace skirmish::chat {
namespace {

namespace json = boost::json;

const redis::script say_script{
    "chat/say",
// clang-format off: in this order
#include "redis/attempt.lua.inc"
#include "chat/deliver.lua.inc"
#include "achievements/unlock.lua.inc"
#include "chat/say.lua.inc"
    // clang-format on
};

const redis::script mute_script{
    "chat/mute",
#include "chat/mute.lua.inc"
};

bool is_server(const http::principal& who) { return who.as >= http::role::server; }

// What one message uses up of an allowance, in microseconds; 0: there is no limit.
std::int64_t cost_us(std::int64_t rate_per_s) {
  return rate_per_s > 0 ? std::max<std::int64_t>(1, 1'000'000 / rate_per_s) : 0;
}

std::string field(const redis::value& entry, std::string_view name) {
  const auto* v = entry[1].find(name);
  return v ? v->as_string() : std::string();
}

// The text that chat/deliver.lua publishes; JSON whatever else somebody has written there.
message to_message(const std::string& channel, const redis::value& entry) {
  const auto id = entry[0].as_string();
  const auto quoted = [&](std::string_view name) {
    return json_string_of(field(entry, name));
  };
  auto extra = field(entry, "extra");
  if (!extra.empty()) {
    error_code ec;
    json::parse(R"({"":0)" + extra + "}", ec);
    if (ec) extra.clear();
  }
  return {parse_stream_id(id).value_or(message_id{}),
          fmt::format(R"({{"channel":"{}","id":"{}","from":{},"text":{},"ts":{}{}}})", channel, id,
                      quoted("from"), quoted("text"), quoted("ts"), extra)};
}

}  // namespace

service::service(redis::client& redis, const redis::key_space& keys, const clock& time, settings s)
    : redis_(redis), keys_(keys), clock_(time), settings_(std::move(s)) {}

result<void> service::may_read(const http::principal& who, std::string_view channel) const {
  if (!settings_.rules.exists(channel)) return error{errc::not_found, "there is no such channel"};
  if (is_operated(channel)) return {};
  if (who.as == http::role::anonymous)
    return error{errc::unauthenticated, "chat needs an API key or a session token"};
  if (channel.starts_with(player_prefix) && !who.may_act_as(channel.substr(player_prefix.size())))
    return error{errc::forbidden, "these are another player's messages"};
  return {};
}

result<void> service::may_send(const http::principal& who, std::string_view channel) const {
  if (!settings_.rules.exists(channel)) return error{errc::not_found, "there is no such channel"};
  if (who.as == http::role::anonymous)
    return error{errc::unauthenticated, "chat needs an API key or a session token"};
  if (is_operated(channel) && !is_server(who))
    return error{errc::forbidden, "players cannot write on this channel"};
  return {};
}

result<std::string> service::speaker(const http::principal& who,
                                     std::optional<std::string> from) const {
  if (!is_server(who)) {
    if (from && *from != who.id) return error{errc::forbidden, "a player may act only as itself"};
    return who.id;
  }
  if (!from) return error{errc::invalid_argument, "a game server says who speaks: `from`"};
  return *from;
}

awaitable<result<sent>> service::send(http::principal who, std::string channel, std::string from,
                                      std::string text) {
  if (auto allowed = may_send(who, channel); !allowed) co_return allowed.error();
  const auto limit = static_cast<std::size_t>(settings_.rules.text_limit_chars);
  if (const auto fault = text_fault(text, lines::many, 1, limit))
    co_return error{errc::invalid_argument, "text " + *fault};
  const auto now = clock_.now();
  // A game server speaks for many players: each of them has an allowance, and so has its key.
  const auto rate = who.as == http::role::admin ? 0 : settings_.rate_per_s;
  const auto key_rate = who.as == http::role::server ? settings_.key_rate_per_s : 0;
  const std::string args[] = {keys_.prefix(),
                              channel,
                              from,
                              text,
                              to_rfc3339(now),
                              std::to_string(now.time_since_epoch().count()),
                              std::to_string(settings_.game.chat_history_limit),
                              std::to_string(settings_.game.chat_history_ttl.count()),
                              settings_.game.rules(),
                              std::to_string(cost_us(rate)),
                              std::to_string(cost_us(rate) * settings_.burst),
                              std::to_string(players::profile_ttl.count()),
                              who.id,
                              std::to_string(cost_us(key_rate)),
                              std::to_string(cost_us(key_rate) * settings_.key_burst)};
  const auto key = history_key(keys_, channel);
  const std::string_view keys[] = {key};
  const std::vector<std::string_view> views(std::begin(args), std::end(args));
  const auto reply = redis::checked(co_await redis_.eval(say_script, keys, views));
  const auto& verdict = reply[0].as_string();
  if (verdict == "banned") co_return error{errc::forbidden, "you are banned from this channel"};
  if (verdict == "muted") co_return error{errc::forbidden, "you are muted on this channel"};
  if (verdict == "damaged") co_return redis::damaged_key(key);
  if (verdict == "slow")
    co_return error{errc::rate_limited, fmt::format("too many messages; the next one in {} ms",
                                                    reply[1].as_integer().value_or(1000))};
  co_return sent{reply[1].as_string(), now};
}

awaitable<history> service::read(std::string channel, std::optional<message_id> since,
                                 std::int64_t limit) {
  const auto key = history_key(keys_, channel);
  redis::request r;
  if (since)
    r.push("XRANGE", key, "(" + to_string(*since), "+", "COUNT", std::max<std::int64_t>(1, limit));
  else
    r.push("XREVRANGE", key, "+", "-", "COUNT", std::max<std::int64_t>(1, limit));
  r.push("XRANGE", key, "-", "+", "COUNT", 1);
  r.push("XREVRANGE", key, "+", "-", "COUNT", 1);
  r.push("XINFO", "STREAM", key);
  const auto replies = co_await redis_.exec(std::move(r));
  history out;
  // A channel on which nothing was said yet has no stream: XINFO answers with an error.
  const auto& info = replies[3];
  for (std::size_t i = 0; i < 3; ++i) redis::checked(replies[i]);
  for (const auto& entry : replies[0].elements())
    if (limit > 0) out.messages.push_back(to_message(channel, entry));
  if (!since) std::reverse(out.messages.begin(), out.messages.end());
  if (replies[2].size() > 0)
    out.last = parse_stream_id(replies[2][0][0].as_string()).value_or(message_id{});
  if (since) {
    const auto first =
        replies[1].size() > 0 ? parse_stream_id(replies[1][0][0].as_string()) : std::nullopt;
    const auto* added = info.find("entries-added");
    const auto* kept = info.find("length");
    const bool nothing_dropped = added && kept && added->as_integer() == kept->as_integer();
    // A stream that is gone has forgotten everything there was; only a client that had nothing
    // missed nothing.
    out.recovered = first ? *first <= *since || nothing_dropped : *since == message_id{};
  }
  co_return out;
}

awaitable<bool> service::is_banned(std::string channel, std::string player_id) {
  const auto reply =
      redis::checked(co_await redis_.command("ZSCORE", bans_key(keys_, channel), player_id));
  co_return !reply.is_nil();
}

awaitable<void> service::mute(std::string channel, std::string player_id,
                              std::chrono::seconds how_long, std::string why, std::string by) {
  const auto mutes = mutes_key(keys_, channel);
  const auto notes = mute_notes_key(keys_, channel);
  const auto at = clock_.now();
  const auto now = std::to_string(at.time_since_epoch().count());
  const auto until = std::to_string((at + how_long).time_since_epoch().count());
  const auto note = note_text(at, why, by);
  const std::string_view keys[] = {mutes, notes};
  const std::string_view args[] = {now, until, player_id, note};
  redis::checked(co_await redis_.eval(mute_script, keys, args));
}

awaitable<void> service::unmute(std::string channel, std::string player_id) {
  redis::request r;
  r.push("ZREM", mutes_key(keys_, channel), player_id);
  r.push("HDEL", mute_notes_key(keys_, channel), player_id);
  redis::checked(co_await redis_.exec(std::move(r)));
}

awaitable<void> service::ban(std::string channel, std::string player_id, std::string why,
                             std::string by) {
  const auto now = clock_.now();
  redis::request r;
  r.push("HSET", ban_notes_key(keys_, channel), player_id, note_text(now, why, by));
  r.push("ZADD", bans_key(keys_, channel), now.time_since_epoch().count(), player_id);
  // Every server thread puts the player out of the channel (hub.cpp).
  r.push("PUBLISH", keys_.prefix() + channel,
         fmt::format(R"({{"banned":{{"channel":"{}","player_id":"{}"}}}})", channel, player_id));
  redis::checked(co_await redis_.exec(std::move(r)));
}

awaitable<void> service::unban(std::string channel, std::string player_id) {
  redis::request r;
  r.push("ZREM", bans_key(keys_, channel), player_id);
  r.push("HDEL", ban_notes_key(keys_, channel), player_id);
  redis::checked(co_await redis_.exec(std::move(r)));
}

awaitable<result<void>> service::remove(std::string channel, std::string id) {
  const error gone{errc::not_found, "there is no such message"};
  if (!parse_stream_id(id)) co_return gone;
  const auto reply =
      redis::checked(co_await redis_.command("XDEL", history_key(keys_, channel), id));
  if (!reply.as_bool()) co_return gone;
  redis::checked(co_await redis_.command(
      "PUBLISH", keys_.prefix() + channel,
      fmt::format(R"({{"deleted":{{"channel":"{}","id":"{}"}}}})", channel, id)));
  co_return result<void>{};
}

}  // namespace skirmish::chat
