#include "positions/positions.hpp"

#include "players/players.hpp"
#include "positions/positions_keys.hpp"
#include "redis/damaged_keys.hpp"
#include "redis/views.hpp"

#include <algorithm>
#include <limits>
#include <tuple>

namespace skirmish::positions {
namespace {

using namespace std::chrono_literals;

const redis::script prune_script{
    "positions/prune",
#include "positions/prune.lua.inc"
};

const redis::script candidates_script{
    "positions/candidates",
#include "positions/candidates.lua.inc"
};

constexpr std::int64_t page_players = 2'000;  // a script: about a millisecond

constexpr auto prune_interval = 1s;
constexpr std::int64_t prune_share = 60;  // of the index, each second
constexpr std::int64_t prune_min = 1'000;
constexpr std::int64_t prune_step = 100;  // players per script
// Of a cell's middle, and of what rounding takes from a stored position.
constexpr double cell_error_m = 1.0;

double number(const redis::value& v) { return v.as_double().value_or(0); }

}  // namespace

// Players whose cells are within the radius, nearest first; nothing when there are too many, unless
// some of them will do.
awaitable<std::optional<std::vector<service::candidate>>> service::candidates(const near_query& q,
                                                                              double radius_m,
                                                                              bool some) {
  const auto most = some ? std::numeric_limits<std::int64_t>::max() : candidates_max;
  std::vector<std::string> args{std::to_string(most), "", std::to_string(page_players)};
  for (const auto& r : cover(q.middle, radius_m)) {
    args.push_back(std::to_string(r.first));
    args.push_back(std::to_string(r.last));
  }
  const auto key = positions_key(keys_);
  const std::string_view keys[] = {key};
  std::vector<candidate> out;
  std::int64_t read = 0;
  std::int64_t total = 0;
  do {
    args[1] = std::to_string(read);
    const auto views = redis::views(args);
    const auto found = redis::checked(co_await redis_.eval(candidates_script, keys, views));
    total = found[0].as_integer().value_or(0);
    if (total > most) co_return std::nullopt;
    if (found.size() == 1) break;
    for (std::size_t i = 1; i + 1 < found.size(); i += 2) {
      const auto distance =
          distance_m(q.middle, middle_of(static_cast<std::uint64_t>(number(found[i + 1]))));
      if (distance <= radius_m + cell_error_m && found[i].as_string() != q.except)
        out.push_back({found[i].as_string(), distance});
    }
    read += page_players;
  } while (read < std::min(total, candidates_max));
  // Who moved between two pages may be on both.
  std::sort(out.begin(), out.end(),
            [](const auto& a, const auto& b) { return a.player_id < b.player_id; });
  const auto same = [](const auto& a, const auto& b) { return a.player_id == b.player_id; };
  out.erase(std::unique(out.begin(), out.end(), same), out.end());
  std::sort(out.begin(), out.end(),
            [](const auto& a, const auto& b) { return a.distance_m < b.distance_m; });
  co_return out;
}

// Those of the candidates who are still there and within the radius, as many as are asked for.
awaitable<std::vector<neighbour>> service::alive(const near_query& q,
                                                 const std::vector<candidate>& nearest) {
  std::vector<neighbour> out;
  const auto limit = static_cast<std::size_t>(q.limit);
  std::size_t next = 0;
  while (next < nearest.size()) {
    // Once there are enough, only those count who may be nearer than the last of them.
    if (out.size() >= limit && nearest[next].distance_m > out[limit - 1].distance_m + cell_error_m)
      break;
    const auto end = std::min(next + limit + 8, nearest.size());
    redis::request read;
    for (auto i = next; i < end; ++i)
      read.push("HMGET", players::move_key(keys_, nearest[i].player_id), "lat", "lon", "alt", "ts");
    const auto moves = redis::without_damaged(co_await redis_.exec(std::move(read)));
    for (std::size_t i = 0; i < moves.size(); ++i) {
      const auto& m = moves[i];
      if (m.size() < 4 || m[0].is_nil()) continue;
      const place at{number(m[0]), number(m[1])};
      const auto distance = distance_m(q.middle, at);
      if (distance > q.radius_m) continue;
      out.push_back({nearest[next + i].player_id, distance, at, number(m[2]), m[3].as_string()});
    }
    next = end;
    std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) {
      return std::tie(a.distance_m, a.player_id) < std::tie(b.distance_m, b.player_id);
    });
  }
  if (out.size() > limit) out.resize(limit);
  co_return out;
}

// Where too many stand, a smaller circle will do, if enough are found in it: which one is found by
// halving.
awaitable<std::vector<neighbour>> service::near(near_query q) {
  auto radius = q.radius_m;
  auto too_wide = q.radius_m;
  double too_narrow = 0;
  while (true) {
    const bool is_last = too_wide - too_narrow <= 1;
    const auto nearest = co_await candidates(q, radius, is_last);
    if (!nearest) {
      too_wide = radius;
    } else {
      auto out = co_await alive(q, *nearest);
      const auto limit = static_cast<std::size_t>(q.limit);
      // Nobody outside of the circle that was searched is nearer than these.
      const bool enough = out.size() >= limit && out.back().distance_m <= radius;
      if (enough || is_last || radius >= q.radius_m) co_return out;
      too_narrow = radius;
    }
    radius = too_wide - too_narrow <= 1 ? too_wide : (too_narrow + too_wide) / 2;
  }
}

awaitable<std::optional<place>> service::position(std::string player_id) {
  const auto m = redis::checked(
      co_await redis_.command("HMGET", players::move_key(keys_, player_id), "lat", "lon"));
  if (m.size() < 2 || m[0].is_nil()) co_return std::nullopt;
  co_return place{number(m[0]), number(m[1])};
}

awaitable<void> service::prune(std::int64_t count) {
  const auto key = positions_key(keys_);
  for (; count > 0; count -= prune_step) {
    const auto page =
        redis::checked(co_await redis_.command("ZSCAN", key, pruned_to_, "COUNT", prune_step));
    pruned_to_ = page[0].as_string();
    const auto pairs = page[1].as_strings();
    // A small index comes as a whole.
    constexpr std::size_t step = 2 * prune_step;
    for (std::size_t first = 0; first < pairs.size(); first += step) {
      std::vector<std::string_view> args{keys_.prefix()};
      for (auto i = first; i < std::min(first + step, pairs.size()); i += 2)
        args.emplace_back(pairs[i]);
      const std::string_view keys[] = {key};
      redis::checked(co_await redis_.eval(prune_script, keys, args));
    }
    if (pruned_to_ == "0") co_return;
  }
}

awaitable<void> service::run_pruner() {
  redis::lease lease(redis_, lease_key(keys_), 3 * prune_interval);
  auto work = [this]() -> awaitable<bool> {
    const auto size = redis::checked(co_await redis_.command("ZCARD", positions_key(keys_)));
    co_await prune(std::max(prune_min, size.as_integer().value_or(0) / prune_share));
    co_return false;
  };
  co_await redis::run_led(redis_, lease, prune_interval, "positions", work);
}

}  // namespace skirmish::positions
