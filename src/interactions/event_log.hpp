// The ordered log of what was committed: the stream `interactions`.
//
// An entry is one commit with a line for each event (event_text.hpp). Events come in the order in
// which they were applied, so whoever reads from a cursor on sees every event once. The log is
// bounded, by count when it is written and by age here; a reader that was away for too long is
// told.
#pragma once

#include "core/asio.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "redis/client.hpp"
#include "redis/key_space.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skirmish::interactions {

// Behind an event: the entry it is in, and how many events of that entry come up to it.
struct log_cursor {
  std::string entry;  // "1700000000000-0"
  std::size_t events = 0;
  bool operator==(const log_cursor&) const = default;
};
// "1700000000000-0.3"; nothing for a text that is none.
std::string to_text(const log_cursor& c);
std::optional<log_cursor> parse_log_cursor(std::string_view text);

enum class log_order { oldest, newest };

struct log_filter {
  std::string player_id;  // who did it or to whom it was done; empty: anybody
  std::string type;       // empty: all

  // Whether the line is such an event.
  [[nodiscard]] bool matches(std::string_view line) const;
  [[nodiscard]] bool is_empty() const noexcept { return player_id.empty() && type.empty(); }
};

struct log_page {
  std::vector<std::string> lines;  // an event each
  std::optional<log_cursor> last;  // behind the last one; what was asked for when there is none
  bool more = false;               // there were more events than the limit
  bool trimmed = false;            // the entry of the cursor is gone: events behind it may be, too
  bool is_partial = false;         // looked_at_max events were looked at: `last` is how far it came
  std::optional<log_cursor> tail;  // newest first, without a cursor: behind the newest event
};

// The lines of one entry, from its fields and values.
std::vector<std::string> decode_log_entry(
    const std::vector<std::pair<std::string, std::string>>& fields);

class event_log {
 public:
  event_log(redis::client& redis, const redis::key_space& keys, const clock& time)
      : redis_(redis), keys_(keys), clock_(time) {}

  // Events that one search looks at.
  static constexpr std::size_t looked_at_max = 20'000;

  // At most `limit` events behind `since`, or from the oldest on.
  awaitable<log_page> read(std::optional<log_cursor> since, std::size_t limit, log_filter filter);
  // Of all events. Not a default argument: g++ 12 destroys those of aggregates twice in a co_await.
  awaitable<log_page> read(std::optional<log_cursor> since, std::size_t limit) {
    return read(std::move(since), limit, log_filter());
  }
  // The same the other way round: from the newest on, or from `before`, a cursor of such a page.
  awaitable<log_page> read_newest(std::optional<log_cursor> before, std::size_t limit,
                                  log_filter filter);

  // Removes entries older than `age`, in whole nodes of the stream (about a hundred entries).
  awaitable<void> trim(std::chrono::milliseconds age);
  // Does that every minute, until cancelled. For one thread of each server; servers may do it at
  // once. `age` 0: never.
  awaitable<void> run_trimmer(std::chrono::milliseconds age);

 private:
  redis::client& redis_;
  const redis::key_space& keys_;
  const clock& clock_;
};

}  // namespace skirmish::interactions
