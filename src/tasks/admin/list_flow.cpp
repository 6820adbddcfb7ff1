#include "tasks/admin/list_flow.hpp"

#include <algorithm>

namespace skirmish::tasks {

void list_flow::add(const look& now) {
  if (is_first_) {
    is_first_ = false;
    last_at_ = now.at;
    depth_ = pushed_ = now.depth;
    note_pushes(now.at);
    return;
  }
  counted step{std::chrono::duration<double>(now.at - last_at_).count()};
  if (now.pushed) {
    step.in = *now.pushed;
    step.out = depth_ + step.in - now.depth;
  } else if (now.is_wholly_searched) {
    // All that stood there has left, and whatever else was counted came and went in between.
    step.out = std::max(depth_, now.taken);
    step.in = now.depth - depth_ + step.out;
  } else {
    step.out = now.taken;
    step.in = now.depth - depth_ + step.out;
  }
  // Messages that were put back at the serving end.
  if (step.out < 0) step = {step.seconds, step.in - step.out, 0};
  if (step.in < 0) step = {step.seconds, 0, step.out - step.in};
  pushed_ += step.in;
  popped_ += step.out;
  depth_ = now.depth;
  last_at_ = now.at;
  if (step.in > 0) note_pushes(now.at);
  while (!marks_.empty() && marks_.front().pushed <= popped_) marks_.pop_front();
  recent_.push_back(step);
  if (recent_.size() > mean_of_looks) recent_.pop_front();
}

void list_flow::note_pushes(time_point at) {
  marks_.push_back({at, pushed_});
  if (marks_.size() <= marks_limit) return;
  // Two marks become one, with the time of the earlier: an age is rather too high than too low.
  std::deque<mark> fewer;
  for (std::size_t i = 0; i + 1 < marks_.size(); i += 2)
    fewer.push_back({marks_[i].at, marks_[i + 1].pushed});
  if (marks_.size() % 2 == 1) fewer.push_back(marks_.back());
  marks_ = std::move(fewer);
}

std::optional<double> list_flow::rate(std::int64_t counted::* which) const {
  double seconds = 0;
  std::int64_t sum = 0;
  for (const auto& step : recent_) {
    seconds += step.seconds;
    sum += step.*which;
  }
  if (!(seconds > 0)) return std::nullopt;
  return static_cast<double>(sum) / seconds;
}

std::optional<double> list_flow::in_per_s() const { return rate(&counted::in); }
std::optional<double> list_flow::out_per_s() const { return rate(&counted::out); }

std::optional<double> list_flow::oldest_age_s(time_point now) const {
  if (depth_ == 0 || marks_.empty()) return std::nullopt;
  return std::max(0.0, std::chrono::duration<double>(now - marks_.front().at).count());
}

}  // namespace skirmish::tasks
