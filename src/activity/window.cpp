#include "activity/window.hpp"

#include "activity/activity_keys.hpp"
#include "activity/packed_slice.hpp"
#include "core/ids.hpp"
#include "core/log.hpp"
#include "leaderboards/leaderboards.hpp"
#include "redis/views.hpp"

#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <unordered_set>

namespace skirmish::activity {
namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

const redis::script close_script{
    "activity/close",
#include "activity/close.lua.inc"
};
const redis::script seal_script{
    "activity/seal",
#include "activity/seal.lua.inc"
};
const redis::script sweep_script{
    "activity/sweep",
#include "activity/sweep.lua.inc"
};

const redis::script forget_script{
    "activity/forget",
#include "activity/forget.lua.inc"
};

constexpr std::size_t piece_bytes = std::size_t{1} << 16;  // of a packed slice, read at once
constexpr std::string_view scan_count = "500";             // players of an open slice, read at once
constexpr std::size_t run_players = 8'000;                 // sorted together: about 2 ms

struct indexed_slice {
  std::string name;
  std::int64_t end_s = 0;
};

// The first slice of a reply WITHSCORES (RESP3: pairs); nothing when there is none.
std::optional<indexed_slice> first_slice(const redis::value& reply) {
  if (reply.size() == 0) return std::nullopt;
  const auto& pair = reply[0];
  return indexed_slice{pair[0].as_string(),
                       static_cast<std::int64_t>(pair[1].as_double().value_or(0))};
}

// Often enough for a slice's end to be met, seldom enough to cost nothing.
std::chrono::milliseconds interval_of(const window_settings& s) {
  return std::clamp<std::chrono::milliseconds>(s.slice / 10, 100ms, 1s);
}

}  // namespace

window::window(asio::io_context& io, redis::client& redis, const redis::key_space& keys,
               const clock& time, window_settings settings, metrics::registry& metrics)
    : io_(io),
      redis_(redis),
      keys_(keys),
      clock_(time),
      settings_(std::move(settings)),
      interval_(interval_of(settings_)),
      lease_(redis, lease_key(keys), 3 * interval_),
      sealed_(metrics.add_counter("skirmish_window_slices_sealed_total", "Slices packed.")),
      swept_(metrics.add_counter("skirmish_window_slices_swept_total",
                                 "Slices whose counts have left the 24-hour window.")),
      subtracted_(metrics.add_counter("skirmish_window_players_subtracted_total",
                                      "Players' counts subtracted, one a slice and player.")),
      lag_s_(metrics.add_gauge("skirmish_window_lag_seconds",
                               "How long the oldest slice has been due to be swept.")),
      step_duration_(metrics.add_histogram("skirmish_window_sweep_step_seconds",
                                           "Time of one subtracting step, with its way.")) {}

awaitable<void> window::run() {
  auto work = [this] { return step(); };
  co_await redis::run_led(redis_, lease_, interval_, "activity_window", work);
}

awaitable<bool> window::step() {
  const auto now_s =
      std::chrono::floor<std::chrono::seconds>(clock_.now()).time_since_epoch().count();
  const auto due_s = now_s - settings_.length.count();
  redis::request look;
  look.push("ZRANGEBYSCORE", sealed_key(keys_), "-inf", due_s, "WITHSCORES", "LIMIT", 0, 1);
  look.push("ZRANGEBYSCORE", open_key(keys_), "-inf", now_s, "LIMIT", 0, 1);
  const auto found = redis::checked(co_await redis_.exec(std::move(look)));
  const auto due = first_slice(found.at(0));
  const auto ended = found.at(1).as_strings();
  lag_s_.set(due ? due_s - due->end_s : 0);
  if (due) {
    const bool swept = co_await sweep(due->name);
    co_return swept;
  }
  if (ended.empty()) co_return false;
  co_await close(now_s);
  const bool sealed = co_await seal(ended[0]);
  co_return sealed;
}

// Nothing is added any more to slices that have ended.
awaitable<void> window::close(std::int64_t now_s) {
  const auto last = redis::checked(co_await redis_.command(
      "ZREVRANGEBYSCORE", open_key(keys_), now_s, "-inf", "WITHSCORES", "LIMIT", 0, 1));
  const auto newest = first_slice(last);
  if (!newest) co_return;
  const auto key = closed_key(keys_);
  const auto end = std::to_string(newest->end_s);
  const std::string_view keys[] = {key};
  const std::string_view args[] = {end};
  redis::checked(co_await redis_.eval(close_script, keys, args));
}

// A closed slice does not change, so it can be read in pieces.
awaitable<bool> window::seal(std::string slice) {
  const auto key = slice_key(keys_, slice);
  slice_packer packer;
  std::unordered_set<std::string> seen;  // HSCAN may return a player twice
  std::vector<player_count> run;
  std::string cursor = "0";
  do {
    auto page = redis::checked(co_await redis_.command("HSCAN", key, cursor, "COUNT", scan_count));
    cursor = page[0].as_string();
    const auto fields = page[1].as_strings();
    for (std::size_t i = 0; i + 1 < fields.size(); i += 2) {
      const auto count = redis::value(fields[i + 1]).as_integer().value_or(0);
      if (!seen.insert(fields[i]).second) continue;
      if (count > 0 && is_valid_id(fields[i])) run.push_back({fields[i], count});
    }
    if (run.size() >= run_players || cursor == "0") {
      packer.add(std::move(run));
      run = {};
    }
  } while (cursor != "0");
  const auto sealing = sealing_key(keys_, slice);
  if (!seen.empty())
    redis::checked(
        co_await redis_.command("SET", sealing, packer.text(), "EX", sealing_ttl.count()));
  const std::vector<std::string> keys{key, sealing, open_key(keys_), sealed_key(keys_),
                                      closed_key(keys_)};
  const std::vector<std::string> args{slice, std::to_string(seen.size())};
  const auto key_views = redis::views(keys);
  const auto arg_views = redis::views(args);
  const auto done = redis::checked(co_await redis_.eval(seal_script, key_views, arg_views));
  if (done.as_bool()) sealed_.add();
  co_return done.as_bool();
}

// Subtracts a sealed slice, from where the last sweeper stopped.
awaitable<bool> window::sweep(std::string slice) {
  const auto key = slice_key(keys_, slice);
  redis::request look;
  look.push("STRLEN", key);
  look.push("HGET", swept_key(keys_), slice);
  const auto state = redis::checked(co_await redis_.exec(std::move(look)));
  const auto total = static_cast<std::size_t>(state.at(0).as_integer().value_or(0));
  auto offset = static_cast<std::size_t>(
      state.at(1).as_integer().value_or(static_cast<std::int64_t>(first_block_offset)));
  if (offset >= total) {
    // Nothing is in it, which only a hand at the keys can have done.
    const std::vector<std::string> none;
    const bool done = co_await subtract(slice, std::to_string(offset), "", none);
    co_return done;
  }
  while (offset < total) {
    const auto piece =
        redis::checked(co_await redis_.command("GETRANGE", key, offset, offset + piece_bytes - 1));
    std::string_view text = piece.as_string();
    std::size_t bytes = 0;
    do {
      const bool done = co_await sweep_block(slice, offset, text, total, bytes);
      if (!done) co_return false;
      offset += bytes;
      text.remove_prefix(bytes);
    } while (bytes > 0 && !text.empty());
    if (bytes == 0 && text.size() == piece.as_string().size())
      throw failure(errc::internal, "the packed slice " + slice + " is cut off");
  }
  swept_.add();
  co_return true;
}

// Subtracts the block that `text` begins with. False when somebody else did; `bytes` 0 when it is
// not all there.
awaitable<bool> window::sweep_block(const std::string& slice, std::size_t offset,
                                    std::string_view text, std::size_t total, std::size_t& bytes) {
  const auto block = read_block(text);
  bytes = block ? block->bytes : 0;
  if (!block) co_return true;
  std::vector<std::string> counts;
  for (const auto& p : block->players) {
    counts.push_back(p.player_id);
    counts.push_back(std::to_string(p.count));
  }
  const auto next = offset + bytes;
  const auto to = next < total ? std::to_string(next) : std::string();
  settings_.on_step(false);
  const auto begin = steady::now();
  const bool done = co_await subtract(slice, std::to_string(offset), to, counts);
  const auto took = steady::now() - begin;
  settings_.on_step(true);
  if (!done) co_return false;
  step_duration_.observe(std::chrono::duration<double>(took).count());
  subtracted_.add(block->players.size());
  // Others get Redis for as long as this had it.
  asio::steady_timer rest(io_, took);
  co_await rest.async_wait(use_awaitable);
  co_return true;
}

awaitable<bool> window::subtract(const std::string& slice, const std::string& from,
                                 const std::string& to, const std::vector<std::string>& counts) {
  const auto board_key = leaderboards::board_key(keys_, board);
  const std::vector<std::string> keys{
      slice_key(keys_, slice), sealed_key(keys_),    swept_key(keys_),    board_key,
      board_key + "@seq",      board_key + "@moved", forgotten_key(keys_)};
  std::vector<std::string_view> args{slice, from, to};
  args.insert(args.end(), counts.begin(), counts.end());
  const auto key_views = redis::views(keys);
  const auto done = redis::checked(co_await redis_.eval(sweep_script, key_views, args));
  co_return done.as_bool();
}

awaitable<void> window::forget_player(std::string player_id) {
  const auto board_key = leaderboards::board_key(keys_, board);
  const std::vector<std::string> keys{board_key, board_key + "@seq", board_key + "@moved",
                                      forgotten_key(keys_)};
  const auto key_views = redis::views(keys);
  const std::vector<std::string_view> args{player_id};
  redis::checked(co_await redis_.eval(forget_script, key_views, args));
}

}  // namespace skirmish::activity
