#include "interactions/pending_activity.hpp"

#include "core/log.hpp"
#include "interactions/interactions_keys.hpp"
#include "players/players.hpp"
#include "redis/lease.hpp"
#include "redis/views.hpp"

#include <boost/asio/steady_timer.hpp>

#include <algorithm>

namespace skirmish::interactions {
namespace {

using namespace std::chrono_literals;

// clang-format off: in this order
const std::string flushing =
#include "redis/attempt.lua.inc"
#include "activity/open_slice.lua.inc"
#include "interactions/flush_activity.lua.inc"
#include "interactions/activity_world.lua.inc"
    ;
// clang-format on
const redis::script take_script{"interactions/take_pending_activity", flushing +
#include "interactions/take_pending_activity.lua.inc"
};
const redis::script flush_script{"interactions/flush_some_activity", flushing +
#include "interactions/flush_some_activity.lua.inc"
};

constexpr auto interval = 1s;
constexpr int few_bytes = 16 * 1024;  // flushed by one script: about half a millisecond
constexpr int texts_per_page = 32;

}  // namespace

pending_activity::pending_activity(redis::client& redis, const redis::key_space& keys,
                                   const clock& time, std::chrono::seconds slice,
                                   std::int64_t actions_limit)
    : redis_(redis), keys_(keys), clock_(time), slice_(slice), actions_limit_(actions_limit) {}

// What both scripts begin with.
std::vector<std::string> pending_activity::arguments() const {
  const auto slice = clock_.now().time_since_epoch() / slice_ * slice_;
  return {std::string(keys_.prefix()), std::to_string(slice.count()),
          std::to_string(slice_.count()), std::to_string(actions_limit_),
          std::to_string(players::profile_ttl.count())};
}

// nullopt when nothing is pending.
awaitable<std::optional<pending_activity::progress>> pending_activity::take_pending() {
  const std::vector<std::string> keys{
      pending_activity_key(keys_, "pending"), pending_activity_key(keys_, "filing"),
      pending_activity_key(keys_, "filed"), pending_activity_key(keys_, "bytes"),
      pending_activity_key(keys_, "since")};
  auto args = arguments();
  args.push_back(std::to_string(few_bytes));
  const auto key_views = redis::views(keys);
  const auto arg_views = redis::views(args);
  const auto reply = redis::checked(co_await redis_.eval(take_script, key_views, arg_views));
  damaged_.report(reply[1]);
  const auto& flushed = reply[0];
  if (flushed.size() == 0) co_return std::nullopt;
  progress out{flushed[0].as_integer().value_or(0), flushed[1].as_integer().value_or(0), {}};
  const auto now = clock_.now();
  const auto since = flushed[2].as_integer();
  if (since) out.age = now - timestamp{std::chrono::milliseconds{*since}};
  co_return out;
}

// The list does not change, so it can be read in pieces.
awaitable<pending_activity::taken> pending_activity::read_taken(std::int64_t first_flushed) {
  taken out{activity_totals(actions_limit_), first_flushed, 0};
  const auto key = pending_activity_key(keys_, "filing");
  bool is_last = false;
  for (int first = 0; !is_last; first += texts_per_page) {
    const auto page =
        redis::checked(co_await redis_.command("LRANGE", key, first, first + texts_per_page - 1));
    is_last = page.size() < texts_per_page;
    for (const auto& text : page.as_strings()) {
      if (!out.totals.add(text)) log::error("activity_unreadable", {{"text", text}});
      out.bytes += text.size();
    }
  }
  co_return out;
}

// False when somebody else did.
awaitable<bool> pending_activity::flush_some(const taken& from, std::size_t first,
                                             std::size_t last) {
  const auto& players = from.totals.players();
  const std::vector<std::string> keys{pending_activity_key(keys_, "filing"),
                                      pending_activity_key(keys_, "filed"),
                                      pending_activity_key(keys_, "bytes")};
  auto args = arguments();
  args.push_back(std::to_string(from.first + static_cast<std::int64_t>(first)));
  args.push_back(last == players.size() ? std::to_string(from.bytes) : std::string());
  for (auto i = first; i < last; ++i) {
    const auto& p = players[i];
    args.insert(args.end(), {p.player_id, std::to_string(p.count), p.mark,
                             p.keeps_profile ? "1" : "0", std::to_string(p.lines), p.text});
  }
  const auto key_views = redis::views(keys);
  const auto arg_views = redis::views(args);
  const auto reply = redis::checked(co_await redis_.eval(flush_script, key_views, arg_views));
  damaged_.report(reply[1]);
  co_return reply[0].as_bool();
}

awaitable<bool> pending_activity::flush_all() {
  const auto flushed = co_await take_pending();
  if (!flushed) co_return false;
  const auto from = co_await read_taken(flushed->first);
  const auto count = from.totals.players().size();
  auto first = std::min(static_cast<std::size_t>(flushed->now - flushed->first), count);
  bool is_done = false;
  while (!is_done) {
    const auto start = std::chrono::steady_clock::now();
    const auto last = std::min(first + pace_.step(flushed->age), count);
    const bool mine = co_await flush_some(from, first, last);
    pace_.note(last - first, std::chrono::steady_clock::now() - start);
    if (!mine) co_return true;
    first = last;
    is_done = last == count;
  }
  co_return true;
}

awaitable<void> pending_activity::run_flusher() {
  redis::lease mine(redis_, pending_activity_key(keys_, "filer"), 3 * interval);
  asio::steady_timer rest(redis_.context());
  const auto work = [&]() -> awaitable<bool> {
    rest.expires_after(interval);
    const bool was_pending = co_await flush_all();
    // Once a second, however long it takes.
    if (was_pending) co_await rest.async_wait(use_awaitable);
    co_return was_pending;
  };
  co_await redis::run_led(redis_, mine, interval, "activity_flusher", work);
}

}  // namespace skirmish::interactions
