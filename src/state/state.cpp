#include "state/state.hpp"

#include "core/ids.hpp"
#include "core/parse.hpp"
#include "players/players.hpp"
#include "redis/damaged_keys.hpp"
#include "state/state_keys.hpp"

#include <fmt/format.h>

#include <array>

namespace skirmish::state {
namespace {

constexpr const char* index_source =
#include "state/index.lua.inc"
    ;
constexpr const char* put_source =
#include "state/put.lua.inc"
    ;
constexpr const char* remove_source =
#include "state/remove.lua.inc"
    ;

const redis::script put_script{"state/put", std::string(index_source) + put_source};
const redis::script remove_script{"state/remove", std::string(index_source) + remove_source};
const redis::script list_script{
    "state/list",
#include "state/list.lua.inc"
};
const redis::script clear_script{
    "state/clear",
#include "state/clear.lua.inc"
};

constexpr std::int64_t clear_step_entries = 500;

const error missing{errc::not_found, "there is no such entry"};
const error changed{errc::already_exists, "the entry is not as If-Match or If-None-Match asks"};

std::int64_t integer_at(const redis::value& list, std::size_t at) {
  return list[at].as_integer().value_or(0);
}

timestamp time_of(std::int64_t ms) { return timestamp{std::chrono::milliseconds{ms}}; }

// "<bytes> <version> <ends_at>"
listed_entry read_listed(std::string key, std::string_view line) {
  std::array<std::int64_t, 3> numbers{};
  for (auto& number : numbers) {
    const auto end = std::min(line.find(' '), line.size());
    number = parse_integer(line.substr(0, end)).value_or(0);
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  return {std::move(key), numbers[0], numbers[1], time_of(numbers[2])};
}

}  // namespace

std::string_view player_of(std::string_view name_space) noexcept {
  constexpr std::string_view prefix = "player:";
  return name_space.starts_with(prefix) ? name_space.substr(prefix.size()) : std::string_view{};
}

awaitable<result<stored_entry>> service::put(std::string name_space, std::string key,
                                             document value, std::chrono::seconds life,
                                             precondition p) {
  const auto player = player_of(name_space);
  const auto& allowed = player.empty() ? settings_.servers : settings_.player;
  const auto at = entry_key(keys_, name_space, key);
  std::vector<std::string> names{at, entries_key(keys_, name_space), names_key(keys_, name_space),
                                 ends_key(keys_, name_space)};
  if (!player.empty()) names.push_back(players::state_key(keys_, player));
  const std::vector<std::string_view> keys(names.begin(), names.end());
  const auto life_ms = std::to_string(std::chrono::milliseconds(life).count());
  const auto entries = std::to_string(allowed.entries);
  const auto bytes = std::to_string(allowed.bytes);
  const std::string_view args[] = {
      key,   value.body, value.is_json ? "json" : "bytes", life_ms, entries,
      bytes, p.if_match, p.if_missing ? "*" : ""};
  const auto raw = co_await redis_.eval(put_script, keys, args);
  if (redis::is_wrong_type(raw)) co_return redis::damaged_key(keys);
  const auto reply = redis::checked(raw);
  const auto& outcome = reply[0].as_string();
  if (outcome == "changed") co_return changed;
  if (outcome == "unknown") co_return error{errc::not_found, "there is no such player"};
  if (outcome == "full")
    co_return error{errc::conflict, reply[1].as_string() == "entries"
                                        ? "the namespace holds no more entries"
                                        : "the namespace holds no more bytes"};
  co_return stored_entry{integer_at(reply, 1), time_of(integer_at(reply, 2)),
                         integer_at(reply, 3) == 1};
}

awaitable<result<entry>> service::get(std::string name_space, std::string key) {
  const auto at = entry_key(keys_, name_space, key);
  const auto raw = co_await redis_.command("HMGET", at, "body", "type", "version", "ends_at");
  if (redis::is_wrong_type(raw)) co_return redis::damaged_key(at);
  const auto reply = redis::checked(raw);
  if (reply[2].is_nil()) co_return missing;
  co_return entry{{reply[0].as_string(), reply[1].as_string() == "json"},
                  integer_at(reply, 2),
                  time_of(integer_at(reply, 3))};
}

awaitable<result<void>> service::remove(std::string name_space, std::string key, precondition p) {
  const auto at = entry_key(keys_, name_space, key);
  const std::string names[] = {entries_key(keys_, name_space), names_key(keys_, name_space),
                               ends_key(keys_, name_space)};
  const std::vector<std::string_view> keys{at, names[0], names[1], names[2]};
  const std::string_view args[] = {key, p.if_match};
  const auto raw = co_await redis_.eval(remove_script, keys, args);
  if (redis::is_wrong_type(raw)) co_return redis::damaged_key(keys);
  const auto reply = redis::checked(raw);
  if (reply.as_string() == "missing") co_return missing;
  if (reply.as_string() == "changed") co_return changed;
  co_return result<void>{};
}

awaitable<result<page>> service::list(std::string name_space, std::string after,
                                      std::int64_t limit) {
  const auto names = names_key(keys_, name_space);
  const auto entries = entries_key(keys_, name_space);
  const auto most = std::to_string(limit);
  const std::vector<std::string_view> keys{names, entries};
  const std::string_view args[] = {after, most};
  const auto raw = co_await redis_.eval(list_script, keys, args);
  if (redis::is_wrong_type(raw)) co_return redis::damaged_key(keys);
  auto words = redis::checked(raw).as_strings();
  page out;
  out.next = words.back();
  for (std::size_t i = 0; i + 2 < words.size(); i += 2)
    if (is_valid_id(words[i])) out.items.push_back(read_listed(std::move(words[i]), words[i + 1]));
  co_return out;
}

awaitable<result<void>> service::clear(std::string name_space) {
  const auto names = names_key(keys_, name_space);
  const auto entries = entries_key(keys_, name_space);
  const auto ends = ends_key(keys_, name_space);
  const auto prefix = keys_.key("state", name_space) + "@";
  const auto most = std::to_string(clear_step_entries);
  const std::vector<std::string_view> keys{entries, names, ends};
  const std::string_view args[] = {prefix, most};
  while (true) {
    const auto raw = co_await redis_.eval(clear_script, keys, args);
    if (redis::is_wrong_type(raw)) co_return redis::damaged_key(keys);
    const auto removed = redis::checked(raw).as_integer().value_or(0);
    if (removed == 0) co_return result<void>{};
  }
}

}  // namespace skirmish::state
