#include "notifications/notifications.hpp"

#include "core/text.hpp"
#include "notifications/notifications_keys.hpp"

#include <fmt/format.h>

namespace skirmish::notifications {
namespace {

const redis::script notify_script{
    "notifications/notify",
#include "notifications/notify.lua.inc"
};

}  // namespace

boost::json::object to_json(const notification& n) {
  return {{"id", to_string(n.id)}, {"text", n.text}, {"ts", n.ts}};
}

awaitable<result<std::string>> service::send(std::string player_id, std::string text,
                                             std::string once) {
  const auto chars_max = static_cast<std::size_t>(settings_.text_limit_chars);
  if (const auto fault = text_fault(text, lines::many, 1, chars_max))
    co_return error{errc::invalid_argument, "a notification " + *fault};
  const auto key = unread_key(keys_, player_id);
  const auto known = notified_key(keys_, once);
  const auto ts = to_rfc3339(clock_.now());
  const auto limit = std::to_string(settings_.limit);
  const auto ttl = std::to_string(notified_ttl.count());
  const std::vector<std::string_view> keys{key, known};
  // The channel bears the key's name.
  const std::vector<std::string_view> args{key, player_id, text, ts, limit, ttl};
  const auto id = redis::checked(co_await redis_.eval(notify_script, keys, args));
  co_return id.as_string();
}

awaitable<std::vector<notification>> service::unread(std::string player_id,
                                                     std::optional<message_id> after,
                                                     std::int64_t limit) {
  std::string from = "-";
  if (after) from = "(" + to_string(*after);
  const auto reply = redis::checked(
      co_await redis_.command("XRANGE", unread_key(keys_, player_id), from, "+", "COUNT", limit));
  std::vector<notification> out;
  for (const auto& entry : reply.elements()) {
    if (entry.size() < 2) continue;
    const auto id = parse_stream_id(entry[0].as_string());
    const auto* text = entry[1].find("text");
    const auto* ts = entry[1].find("ts");
    if (id && text && ts) out.push_back({*id, text->as_string(), ts->as_string()});
  }
  co_return out;
}

awaitable<result<void>> service::read_one(std::string player_id, message_id id) {
  const auto removed =
      redis::checked(co_await redis_.command("XDEL", unread_key(keys_, player_id), to_string(id)));
  if (!removed.as_bool()) co_return error{errc::not_found, "there is no such unread notification"};
  co_return result<void>{};
}

awaitable<std::int64_t> service::read_up_to(std::string player_id, message_id last) {
  const message_id first_kept{last.ms, last.seq + 1};
  const auto removed = redis::checked(co_await redis_.command("XTRIM", unread_key(keys_, player_id),
                                                              "MINID", to_string(first_kept)));
  co_return removed.as_integer().value_or(0);
}

}  // namespace skirmish::notifications
