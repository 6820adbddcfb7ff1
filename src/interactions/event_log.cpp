#include "interactions/event_log.hpp"

#include "core/log.hpp"
#include "core/parse.hpp"
#include "core/repeat.hpp"
#include "core/stream_id.hpp"
#include "interactions/event_text.hpp"
#include "interactions/interactions_keys.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace skirmish::interactions {
namespace {

using namespace std::chrono_literals;

constexpr auto trim_interval = 60s;
constexpr int entries_a_read = 16;        // up to interactions.batch_limit events each
constexpr int trim_step_entries = 1'000;  // looked at by one command

// Where an event names players.
constexpr std::array<std::string_view, 5> players_of_event{"player_id", "attacker_id", "target_id",
                                                           "from", "to"};

}  // namespace

std::string to_text(const log_cursor& c) { return fmt::format("{}.{}", c.entry, c.events); }

std::optional<log_cursor> parse_log_cursor(std::string_view text) {
  const auto dot = text.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  // We write whole ids, so a part of one is not ours.
  if (text.find('-') > dot) return std::nullopt;
  const auto entry = parse_stream_id(text.substr(0, dot));
  const auto events = parse_natural(text.substr(dot + 1));
  if (!entry || !events) return std::nullopt;
  return log_cursor{to_string(*entry), static_cast<std::size_t>(*events)};
}

std::vector<std::string> decode_log_entry(
    const std::vector<std::pair<std::string, std::string>>& fields) {
  std::vector<std::string> out;
  for (const auto& [name, text] : fields) {
    if (name != "events") continue;
    for (std::string_view rest = text; !rest.empty();) {
      const auto end = std::min(rest.find('\n'), rest.size());
      if (end > 0) out.emplace_back(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  return out;
}

bool log_filter::matches(std::string_view line) const {
  if (is_empty()) return true;
  // Most lines are told apart without reading them. Ids and types hold nothing that JSON escapes.
  const auto holds = [line](const std::string& word) {
    return word.empty() || line.find('"' + word + '"') != std::string_view::npos;
  };
  if (!holds(player_id) || !holds(type)) return false;
  const auto event = parse_line(line);
  if (!event) return false;
  const auto is = [&](std::string_view member, const std::string& value) {
    const auto* v = event->if_contains(member);
    return v && v->is_string() && v->get_string() == value;
  };
  if (!type.empty() && !is("type", type)) return false;
  if (player_id.empty()) return true;
  return std::ranges::any_of(players_of_event, [&](auto name) { return is(name, player_id); });
}

awaitable<log_page> event_log::read(std::optional<log_cursor> since, std::size_t limit,
                                    log_filter filter) {
  log_page out;
  out.last = since;
  const auto key = log_key(keys_);
  // The cursor's own entry first: it may have been read in part.
  std::string from = since ? since->entry : "-";
  bool is_first = true;
  std::size_t looked_at = 0;
  while (!out.more) {
    const auto found =
        redis::checked(co_await redis_.command("XRANGE", key, from, "+", "COUNT", entries_a_read));
    if (is_first && since)
      out.trimmed = found.size() == 0 || found[0][0].as_string() != since->entry;
    is_first = false;
    for (const auto& entry : found.elements()) {
      const auto& id = entry[0].as_string();
      const auto lines = decode_log_entry(entry[1].as_pairs());
      const auto skip = since && id == since->entry ? since->events : 0;
      for (auto i = skip; i < lines.size() && !out.more; ++i) {
        const bool is_wanted = filter.matches(lines[i]);
        out.is_partial = !filter.is_empty() && looked_at++ == looked_at_max;
        out.more = out.is_partial || (is_wanted && out.lines.size() == limit);
        if (out.more) break;
        if (is_wanted) out.lines.push_back(lines[i]);
        out.last = log_cursor{id, i + 1};
      }
      if (out.more) break;
      from = "(" + id;
    }
    if (found.size() < entries_a_read) break;
  }
  co_return out;
}

awaitable<log_page> event_log::read_newest(std::optional<log_cursor> before, std::size_t limit,
                                           log_filter filter) {
  log_page out;
  out.last = before;
  const auto key = log_key(keys_);
  std::string to = before ? before->entry : "+";
  bool is_first = true;
  std::size_t looked_at = 0;
  while (!out.more) {
    const auto found =
        redis::checked(co_await redis_.command("XREVRANGE", key, to, "-", "COUNT", entries_a_read));
    if (is_first && before)
      out.trimmed = found.size() == 0 || found[0][0].as_string() != before->entry;
    is_first = false;
    for (const auto& entry : found.elements()) {
      const auto& id = entry[0].as_string();
      const auto lines = decode_log_entry(entry[1].as_pairs());
      if (!before && !out.tail) out.tail = log_cursor{id, lines.size()};
      auto left =
          before && id == before->entry ? std::min(before->events, lines.size()) : lines.size();
      for (; left > 0 && !out.more; --left) {
        const auto& line = lines[left - 1];
        const bool is_wanted = filter.matches(line);
        out.is_partial = !filter.is_empty() && looked_at++ == looked_at_max;
        out.more = out.is_partial || (is_wanted && out.lines.size() == limit);
        if (out.more) break;
        if (is_wanted) out.lines.push_back(line);
        out.last = log_cursor{id, left - 1};
      }
      if (out.more) break;
      to = "(" + id;
    }
    if (found.size() < entries_a_read) break;
  }
  co_return out;
}

awaitable<void> event_log::trim(std::chrono::milliseconds age) {
  // An entry's id begins with its time on Redis' clock.
  const auto oldest = std::to_string((clock_.now() - age).time_since_epoch().count());
  std::int64_t removed = 0;
  do {
    const auto n = redis::checked(co_await redis_.command("XTRIM", log_key(keys_), "MINID", "~",
                                                          oldest, "LIMIT", trim_step_entries));
    removed = n.as_integer().value_or(0);
  } while (removed > 0);
}

awaitable<void> event_log::run_trimmer(std::chrono::milliseconds age) {
  repeat how{
      .interval = trim_interval, .failed = "event_log_not_trimmed", .level = log::level::warn};
  auto round = [this, age]() -> awaitable<void> {
    co_await redis_.wait_connected(5s);
    co_await trim(age);
  };
  return repeat_every(std::move(how), std::move(round));
}

}  // namespace skirmish::interactions
