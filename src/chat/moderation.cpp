#include "chat/moderation.hpp"

#include "chat/chat_keys.hpp"
#include "core/ids.hpp"
#include "core/json_text.hpp"
#include "core/parse.hpp"
#include "redis/damaged_keys.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace skirmish::chat {
namespace {

// The end of the year 9999: no time of ours is later.
constexpr double latest_ms = 253'402'300'799'999;

namespace json = boost::json;

timestamp from_ms(std::int64_t ms) { return timestamp{std::chrono::milliseconds{ms}}; }

std::string text_of(const json::object& o, std::string_view name) {
  const auto* v = o.if_contains(name);
  return v && v->is_string() ? std::string(v->get_string()) : std::string();
}

}  // namespace

std::string to_text(const list_place& p) { return fmt::format("{}.{}", p.ms, p.name); }

std::optional<list_place> parse_list_place(std::string_view text) {
  const auto dot = text.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const auto ms = parse_natural(text.substr(0, dot));
  const auto name = text.substr(dot + 1);
  if (!ms || !is_valid_id(name)) return std::nullopt;
  return list_place{static_cast<std::int64_t>(*ms), std::string(name)};
}

std::string note_text(timestamp at, std::string_view reason, std::string_view by) {
  return json_text_of(json::object{{"at", to_rfc3339(at)}, {"reason", reason}, {"by", by}});
}

awaitable<std::vector<lists::scored>> lists::newest(std::string key, std::int64_t least,
                                                    std::optional<list_place> behind,
                                                    std::int64_t limit) {
  std::vector<scored> out;
  const auto most = behind ? std::to_string(behind->ms) : std::string("+inf");
  const auto count = limit + 1;
  // Further pages only where many share the time of the place itself.
  for (std::int64_t skip = 0; static_cast<std::int64_t>(out.size()) <= limit; skip += count) {
    const auto found = redis::checked(co_await redis_.command("ZREVRANGEBYSCORE", key, most, least,
                                                              "WITHSCORES", "LIMIT", skip, count));
    for (const auto& pair : found.elements()) {  // RESP3: [player, score]
      const auto& name = pair[0].as_string();
      if (!is_valid_id(name)) continue;  // somebody else has written it
      const auto score = pair[1].as_double().value_or(0);
      const auto ms = static_cast<std::int64_t>(std::clamp(score, 0.0, latest_ms));
      if (behind && ms == behind->ms && name >= behind->name) continue;
      if (static_cast<std::int64_t>(out.size()) <= limit) out.push_back({name, ms});
    }
    if (static_cast<std::int64_t>(found.size()) < count) break;
  }
  co_return out;
}

awaitable<list_page<channel_entry>> lists::channels(std::optional<list_place> behind,
                                                    std::int64_t limit) {
  list_page<channel_entry> out;
  const auto key = channels_key(keys_);
  std::vector<std::string> always = chat_.configured().rules.open;
  for (const auto* name : {"achievement", "cache"}) always.emplace_back(name);
  const auto is_always = [&](const std::string& name) {
    return std::ranges::find(always, name) != always.end();
  };
  const auto add = [&](std::string name, std::int64_t ms) {
    channel_entry e;
    e.channel = std::move(name);
    if (ms > 0) e.last = from_ms(ms);
    out.entries.push_back(std::move(e));
  };
  if (!behind) {
    redis::request ask;
    for (const auto& name : always) ask.push("ZSCORE", key, name);
    const auto times = redis::without_damaged(co_await redis_.exec(std::move(ask)));
    for (std::size_t i = 0; i < always.size(); ++i)
      add(always[i], static_cast<std::int64_t>(times[i].as_double().value_or(0)));
  }
  auto others = co_await newest(key, 0, behind, limit);
  if (static_cast<std::int64_t>(others.size()) > limit) {
    others.pop_back();
    out.next = list_place{others.back().ms, others.back().name};
  }
  for (const auto& o : others)
    if (!is_always(o.name)) add(o.name, o.ms);
  if (out.entries.empty()) co_return out;
  redis::request count;
  const auto now = clock_.now().time_since_epoch().count();
  for (const auto& e : out.entries) {
    count.push("XLEN", history_key(keys_, e.channel));
    count.push("ZCOUNT", presence_key(keys_, e.channel), now, "+inf");
  }
  const auto counts = redis::without_damaged(co_await redis_.exec(std::move(count)));
  for (std::size_t i = 0; i < out.entries.size(); ++i) {
    out.entries[i].messages = counts[2 * i].as_integer().value_or(0);
    out.entries[i].online = counts[2 * i + 1].as_integer().value_or(0);
  }
  co_return out;
}

awaitable<list_page<silenced_entry>> lists::silenced(std::string key, std::string notes,
                                                     std::int64_t least,
                                                     std::optional<list_place> behind,
                                                     std::int64_t limit) {
  list_page<silenced_entry> out;
  auto found = co_await newest(std::move(key), least, std::move(behind), limit);
  if (static_cast<std::int64_t>(found.size()) > limit) {
    found.pop_back();
    out.next = list_place{found.back().ms, found.back().name};
  }
  if (found.empty()) co_return out;
  std::vector<std::string> names{notes};
  for (const auto& f : found) names.push_back(f.name);
  redis::request ask;
  ask.push_range("HMGET", names);
  const auto replies = redis::without_damaged(co_await redis_.exec(std::move(ask)));
  for (std::size_t i = 0; i < found.size(); ++i) {
    silenced_entry e;
    e.player_id = found[i].name;
    e.until = from_ms(found[i].ms);
    error_code ec;
    const auto text = i < replies[0].size() ? replies[0][i].as_string() : std::string();
    const auto note = json::parse(text.empty() ? "null" : text, ec);
    if (const auto* o = ec ? nullptr : note.if_object()) {
      e.at = parse_rfc3339(text_of(*o, "at"));
      e.reason = text_of(*o, "reason");
      e.by = text_of(*o, "by");
    }
    out.entries.push_back(std::move(e));
  }
  co_return out;
}

awaitable<list_page<silenced_entry>> lists::mutes(std::string channel,
                                                  std::optional<list_place> behind,
                                                  std::int64_t limit) {
  const auto now = clock_.now().time_since_epoch().count();
  co_return co_await silenced(mutes_key(keys_, channel), mute_notes_key(keys_, channel), now + 1,
                              std::move(behind), limit);
}

awaitable<list_page<silenced_entry>> lists::bans(std::string channel,
                                                 std::optional<list_place> behind,
                                                 std::int64_t limit) {
  auto out = co_await silenced(bans_key(keys_, channel), ban_notes_key(keys_, channel), 0,
                               std::move(behind), limit);
  // A ban's place is the time when it was made; it has no end.
  for (auto& e : out.entries) e.at = std::exchange(e.until, std::nullopt);
  co_return out;
}

}  // namespace skirmish::chat
