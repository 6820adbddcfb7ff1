#include "tasks/admin/dead_letters.hpp"

#include "tasks/protocol/json_text.hpp"
#include "tasks/protocol/message.hpp"
#include "tasks/scripts.hpp"

#include <algorithm>
#include <set>

namespace skirmish::tasks {
namespace {

constexpr std::int64_t part_letters = 200;

// Collects the entries of these task ids, as they stand in the list; all entries if there are none.
awaitable<std::vector<std::string>> entries_of(broker_view at, std::vector<std::string> ids) {
  const std::set<std::string> wanted(ids.begin(), ids.end());
  const auto dead = at.keys.own("dead");
  std::vector<std::string> out;
  for (std::int64_t from = 0;; from += part_letters) {
    const auto part =
        redis::checked(co_await at.redis.command("LRANGE", dead, from, from + part_letters - 1));
    for (auto& text : part.as_strings()) {
      const auto entry = parse_json(text);
      if (!entry || !entry->is_object()) continue;
      if (wanted.empty() || wanted.contains(std::string(text_at(entry->get_object(), "id"))))
        out.push_back(std::move(text));
    }
    if (static_cast<std::int64_t>(part.size()) < part_letters) co_return out;
  }
}

}  // namespace

awaitable<dead_letter_page> read_dead_letters(broker_view at, std::size_t limit,
                                              std::optional<std::int64_t> older) {
  const auto dead = at.keys.own("dead");
  const auto count = static_cast<std::int64_t>(limit);
  dead_letter_page out;
  const auto length =
      redis::checked(co_await at.redis.command("LLEN", dead)).as_integer().value_or(0);
  out.total = length;
  const auto left = std::min(older.value_or(length), length);
  if (left == 0) co_return out;
  // Counted from the old end, because new ones come at the other.
  const auto last = std::min<std::int64_t>(-1, -left + count - 1);
  const auto items = redis::checked(co_await at.redis.command("LRANGE", dead, -left, last));
  for (const auto& text : items.elements())
    if (auto entry = parse_json(text.as_string()); entry && entry->is_object())
      out.items.push_back(std::move(*entry));
  if (left > count) out.next = left - count;
  co_return out;
}

awaitable<json_array> newest_dead_letters(broker_view at, std::size_t limit) {
  auto page = co_await read_dead_letters(at, limit, std::nullopt);
  co_return std::move(page.items);
}

awaitable<std::string> find_dead_letter(broker_view at, std::string id) {
  const std::vector<std::string> wanted{std::move(id)};
  const auto found = co_await entries_of(at, wanted);
  if (found.empty()) co_return std::string();
  const auto entry = parse_json(found.front());
  co_return std::string(text_at(entry->get_object(), "message"));
}

awaitable<std::int64_t> requeue_dead_letters(broker_view at, std::vector<std::string> ids) {
  const auto dead = at.keys.own("dead");
  std::int64_t sent = 0;
  const auto entries = co_await entries_of(at, std::move(ids));
  for (const auto& text : entries) {
    const auto entry = parse_json(text);
    const auto field = [&](std::string_view name) { return text_at(entry->get_object(), name); };
    const auto queue = field("queue");
    envelope_edit edit;
    edit.restored = 0;
    const auto again = edit_envelope(field("message"), edit);
    if (!again || queue.empty()) continue;
    const auto* priority = entry->get_object().if_contains("priority");
    const int step = priority_step(
        priority && priority->is_int64() ? static_cast<int>(priority->get_int64()) : 0);
    const auto list = at.keys.queue(queue, step);
    const std::vector<std::string_view> keys{dead, list};
    const std::vector<std::string_view> args{text, *again};
    const auto moved = redis::checked(co_await at.redis.eval(scripts::requeue, keys, args));
    if (moved.as_bool()) ++sent;
  }
  co_return sent;
}

awaitable<std::int64_t> drop_dead_letters(broker_view at, std::vector<std::string> ids) {
  const auto dead = at.keys.own("dead");
  redis::request drop;
  if (ids.empty()) {
    drop.push("LLEN", dead);
    drop.push("UNLINK", dead);
    const auto replies = redis::checked(co_await at.redis.exec(std::move(drop)));
    co_return replies[0].as_integer().value_or(0);
  }
  const auto entries = co_await entries_of(at, std::move(ids));
  if (entries.empty()) co_return 0;
  for (const auto& text : entries) drop.push("LREM", dead, 1, text);
  std::int64_t dropped = 0;
  const auto replies = redis::checked(co_await at.redis.exec(std::move(drop)));
  for (const auto& n : replies) dropped += n.as_integer().value_or(0);
  co_return dropped;
}

}  // namespace skirmish::tasks
