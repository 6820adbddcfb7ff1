#include "bench/activity_day.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <numeric>
#include <string_view>

namespace skirmish::cli {

activity_day::activity_day(std::uint32_t players, double skew, bool uuids, std::uint64_t seed)
    : dice_(seed), threshold_(players), alias_(players), counts_(players), totals_(players) {
  // Numbers are dealt at random, so that a name says nothing about how active its player is.
  std::vector<std::uint32_t> numbers(players);
  std::iota(numbers.begin(), numbers.end(), 0U);
  std::shuffle(numbers.begin(), numbers.end(), dice_);
  for (const auto n : numbers) {
    const auto high = dice_();
    const auto low = dice_();
    ids_.push_back(uuids ? fmt::format("{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}", high >> 32,
                                       high >> 16 & 0xFFFF, high & 0xFFF, low >> 52,
                                       low & 0xFFFF'FFFF'FFFF)
                         : fmt::format("player{:06}", n));
  }
  std::vector<double> weight(players);
  for (std::uint32_t i = 0; i < players; ++i) weight[i] = std::pow(i + 1.0, -skew);
  const auto sum = std::accumulate(weight.begin(), weight.end(), 0.0);
  std::vector<std::uint32_t> poor;
  std::vector<std::uint32_t> rich;
  for (std::uint32_t i = 0; i < players; ++i) {
    weight[i] *= players / sum;
    (weight[i] < 1 ? poor : rich).push_back(i);
  }
  std::fill(threshold_.begin(), threshold_.end(), 1.0);
  while (!poor.empty() && !rich.empty()) {
    const auto from = poor.back();
    const auto to = rich.back();
    poor.pop_back();
    threshold_[from] = weight[from];
    alias_[from] = to;
    weight[to] -= 1 - weight[from];
    if (weight[to] >= 1) continue;
    rich.pop_back();
    poor.push_back(to);
  }
}

std::uint32_t activity_day::draw() {
  const auto bits = dice_();
  const auto column = static_cast<std::uint32_t>((bits >> 32) * threshold_.size() >> 32);
  const auto height = static_cast<double>(bits & 0xFFFF'FFFF) / 4'294'967'296.0;
  return height < threshold_[column] ? column : alias_[column];
}

std::vector<activity_day::share> activity_day::draw_slice(std::uint64_t interactions) {
  std::vector<std::uint32_t> who;
  for (; interactions > 0; --interactions) {
    const auto player = draw();
    if (counts_[player]++ == 0) who.push_back(player);
  }
  std::vector<share> slice;
  slice.reserve(who.size());
  for (const auto player : who) {
    slice.push_back({player, counts_[player]});
    counts_[player] = 0;
  }
  return slice;
}

void activity_day::draw_ahead(std::int64_t slices, std::uint64_t interactions) {
  for (; slices > 0; --slices) ahead_.push_back(draw_slice(interactions));
}

const std::vector<activity_day::share>& activity_day::next(std::uint64_t interactions) {
  if (ahead_.empty()) draw_ahead(1, interactions);
  auto& slice = slices_.emplace_back(std::move(ahead_.front()));
  ahead_.pop_front();
  for (const auto& s : slice) totals_[s.player] += s.count;
  shares_ += slice.size();
  return slice;
}

std::int64_t activity_day::wrong_places(
    const std::vector<std::pair<std::string, std::int64_t>>& shown, std::size_t places) const {
  auto exact = totals_;
  places = std::min(places, exact.size());
  std::partial_sort(exact.begin(), exact.begin() + static_cast<std::ptrdiff_t>(places), exact.end(),
                    std::greater<>());
  std::map<std::string_view, std::int64_t> of;
  for (std::size_t i = 0; i < totals_.size(); ++i)
    if (totals_[i] >= exact[places - 1]) of[ids_[i]] = totals_[i];
  std::int64_t wrong = 0;
  for (std::size_t i = 0; i < places && exact[i] > 0; ++i) {
    const auto found = i < shown.size() ? of.find(shown[i].first) : of.end();
    const bool right =
        found != of.end() && found->second == exact[i] && shown[i].second == exact[i];
    if (!right) ++wrong;
  }
  return wrong;
}

void activity_day::retire_oldest() {
  for (const auto& s : slices_.front()) totals_[s.player] -= s.count;
  shares_ -= slices_.front().size();
  slices_.pop_front();
}

}  // namespace skirmish::cli
