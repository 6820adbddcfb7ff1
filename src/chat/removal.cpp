// What becomes of chat when a player or a level is deleted.
#include "chat/chat.hpp"
#include "chat/chat_keys.hpp"
#include "core/ids.hpp"
#include "redis/damaged_keys.hpp"

namespace skirmish::chat {
namespace {

const redis::script take_off_script{
    "chat/take_off",
#include "chat/take_off.lua.inc"
};

constexpr int scan_count = 500;

}  // namespace

awaitable<void> service::take_off(std::string channel, std::string player_id) {
  const auto key = presence_key(keys_, channel);
  const std::string_view keys[] = {key};
  const std::string_view args[] = {keys_.prefix(), channel, player_id};
  redis::checked(co_await redis_.eval(take_off_script, keys, args));
}

awaitable<void> service::forget_player(std::string player_id) {
  std::vector<std::string> names = settings_.rules.open;
  std::string cursor = "0";
  do {
    redis::request scan;
    scan.push("ZSCAN", channels_key(keys_), cursor, "COUNT", scan_count);
    const auto found = redis::without_damaged(co_await redis_.exec(std::move(scan)));
    const bool is_there = found[0].size() == 2;
    cursor = is_there ? found[0][0].as_string() : "0";
    for (std::size_t i = 0; is_there && i < found[0][1].size(); i += 2)
      names.push_back(found[0][1][i].as_string());
    redis::request ask;
    for (const auto& name : names) ask.push("ZSCORE", presence_key(keys_, name), player_id);
    const auto present = redis::without_damaged(co_await redis_.exec(std::move(ask)));
    for (std::size_t i = 0; i < names.size(); ++i)
      if (!present[i].is_nil()) co_await take_off(names[i], player_id);
    names.clear();
  } while (cursor != "0");
  redis::request forget;
  forget.push("ZREM", keys_.key("presence@players"), player_id);
  redis::without_damaged(co_await redis_.exec(std::move(forget)));
}

awaitable<void> service::remove_channel(std::string channel) {
  if (!is_valid_id(channel)) co_return;  // too long for a channel: there is none
  redis::request r;
  r.push("DEL", history_key(keys_, channel), mutes_key(keys_, channel), bans_key(keys_, channel),
         mute_notes_key(keys_, channel), ban_notes_key(keys_, channel));
  r.push("ZREM", channels_key(keys_), channel);
  redis::without_damaged(co_await redis_.exec(std::move(r)));
  co_await take_off(std::move(channel), "");
}

}  // namespace skirmish::chat
