#include "positions/map.hpp"

#include "players/players.hpp"
#include "positions/positions_keys.hpp"
#include "redis/damaged_keys.hpp"
#include "redis/script.hpp"
#include "redis/views.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <unordered_set>

namespace skirmish::positions {
namespace {

const redis::script sample_script{
    "positions/sample",
#include "positions/sample.lua.inc"
};

constexpr std::int64_t sample_max = 20'000;
constexpr std::int64_t blocks_per_page = 100;  // 2,000 players: about a millisecond
constexpr std::size_t positions_per_call = 1'000;

double number(const redis::value& v) { return v.as_double().value_or(0); }

// `count` of them at even distances.
std::vector<std::string> thinned(std::vector<std::string> players, std::size_t count) {
  if (players.size() <= count) return players;
  std::vector<std::string> out;
  out.reserve(count);
  for (std::size_t i = 0; i < count; ++i)
    out.push_back(std::move(players[i * players.size() / count]));
  return out;
}

double age_of(std::string_view ts, timestamp now) {
  const auto at = parse_rfc3339(ts);
  if (!at || *at > now) return 0;
  return std::round(std::chrono::duration<double>(now - *at).count() * 10) / 10;
}

}  // namespace

struct map_reader::sample {
  std::vector<std::string> players;  // whose cell is in the box
  std::vector<place> places;         // of each of them: the middle of its cell
  std::int64_t looked_at = 0;
  std::int64_t in_cover = 0;
};

awaitable<map_reader::sample> map_reader::take_sample(box part, std::int64_t most) {
  std::vector<std::string> args{std::to_string(most), "", std::to_string(blocks_per_page)};
  for (const auto& r : cover(part)) {
    args.push_back(std::to_string(r.first));
    args.push_back(std::to_string(r.last));
  }
  const auto key = positions_key(keys_);
  const std::string_view keys[] = {key};
  sample out;
  std::unordered_set<std::string> known;  // who moves between two pages may be on both
  std::int64_t blocks = 0;
  std::int64_t next = 0;
  do {
    args[1] = std::to_string(next);
    const auto views = redis::views(args);
    const auto found = redis::checked(co_await redis_.eval(sample_script, keys, views));
    out.in_cover = found[0].as_integer().value_or(0);
    blocks = found[1].as_integer().value_or(0);
    for (std::size_t i = 2; i + 1 < found.size(); i += 2) {
      ++out.looked_at;
      const auto at = middle_of(static_cast<std::uint64_t>(number(found[i + 1])));
      if (!part.holds(at) || !known.insert(found[i].as_string()).second) continue;
      out.players.push_back(found[i].as_string());
      out.places.push_back(at);
    }
    next += blocks_per_page;
  } while (next < blocks);
  co_return out;
}

awaitable<map_view> map_reader::look_at(box part, std::int64_t limit) {
  const auto found = co_await take_sample(part, std::min(sample_max, 2 * limit));
  const auto in_box = static_cast<double>(found.players.size());
  const auto asked = thinned(found.players, static_cast<std::size_t>(limit));
  map_view out;
  for (std::size_t first = 0; first < asked.size(); first += positions_per_call) {
    const auto end = std::min(first + positions_per_call, asked.size());
    redis::request read;
    for (auto i = first; i < end; ++i)
      read.push("HMGET", players::move_key(keys_, asked[i]), "lat", "lon", "ts");
    const auto moves = redis::without_damaged(co_await redis_.exec(std::move(read)));
    const auto now = clock_.now();
    for (std::size_t i = 0; i < moves.size(); ++i) {
      const auto& m = moves[i];
      if (m.size() < 3 || m[0].is_nil()) continue;
      const place at{number(m[0]), number(m[1])};
      if (part.holds(at))
        out.points.push_back({asked[first + i], at, age_of(m[2].as_string(), now)});
    }
  }
  const auto shown = static_cast<double>(out.points.size());
  const bool is_sampled = found.looked_at < found.in_cover;
  out.is_partial = is_sampled || asked.size() < found.players.size();
  out.total = static_cast<std::int64_t>(out.points.size());
  if (out.is_partial && !asked.empty()) {
    const auto alive = shown / static_cast<double>(asked.size());
    const auto weight = static_cast<double>(found.in_cover) /
                        static_cast<double>(std::max<std::int64_t>(1, found.looked_at));
    out.total = std::llround(in_box * alive * (is_sampled ? weight : 1.0));
  }
  co_return out;
}

density density_of(const std::vector<place>& places, double cell_deg, double weight) {
  std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t> squares;
  do {
    squares.clear();
    for (const auto& at : places)
      ++squares[{std::llround(std::floor(at.lat / cell_deg)),
                 std::llround(std::floor(at.lon / cell_deg))}];
    cell_deg *= 2;
  } while (squares.size() > density_cells_max);
  density out;
  out.cell_deg = cell_deg / 2;
  out.total = std::llround(static_cast<double>(places.size()) * weight);
  const auto middle = [&out](std::int64_t number, double most) {
    return std::clamp((static_cast<double>(number) + 0.5) * out.cell_deg, -most, most);
  };
  for (const auto& [square, players] : squares)
    out.cells.push_back({{middle(square.first, 90), middle(square.second, 180)},
                         std::llround(static_cast<double>(players) * weight)});
  return out;
}

awaitable<density> map_reader::count(double cell_deg) {
  const box everywhere;
  const auto found = co_await take_sample(everywhere, sample_max);
  const auto looked_at = static_cast<double>(std::max<std::int64_t>(1, found.looked_at));
  const auto in_cover = static_cast<double>(found.in_cover);
  co_return density_of(found.places, cell_deg, std::max(1.0, in_cover / looked_at));
}

std::optional<box> checked_box(double west, double south, double east, double north) {
  const auto is_within = [](double v, double most) { return std::abs(v) <= most; };
  if (!is_within(west, 180) || !is_within(east, 180) || !is_within(south, 90) ||
      !is_within(north, 90) || south > north)
    return std::nullopt;
  return box{west, south, east, north};
}

std::optional<box> parse_box(std::string_view text) {
  std::array<double, 4> n{};
  for (std::size_t i = 0; i < n.size(); ++i) {
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), n[i]);
    if (problem != std::errc()) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    const bool is_last = i + 1 == n.size();
    if (is_last ? !text.empty() : !text.starts_with(',')) return std::nullopt;
    if (!is_last) text.remove_prefix(1);
  }
  return checked_box(n[0], n[1], n[2], n[3]);
}

}  // namespace skirmish::positions
