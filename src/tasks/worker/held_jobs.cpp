#include "tasks/worker/held_jobs.hpp"

#include <algorithm>
#include <utility>

namespace skirmish::tasks {

void held_jobs::set_stage(job& j, job_stage stage) noexcept {
  if (j.stage != job_stage::received && j.stage != job_stage::released)
    --counts_[static_cast<std::size_t>(j.stage)];
  j.stage = stage;
  if (stage != job_stage::released) ++counts_[static_cast<std::size_t>(stage)];
}

void held_jobs::add(job_ptr j, job_stage stage) {
  set_stage(*j, stage);
  list(stage).push_back(std::move(j));
}

void held_jobs::make_ready(job_ptr j) {
  set_stage(*j, job_stage::ready);
  ready_.push_back(std::move(j));
}

void held_jobs::delay(job_ptr j, clock::time_point until) {
  set_stage(*j, job_stage::delayed);
  timed_.emplace(until, std::move(j));
}

void held_jobs::rate_limit(job_ptr j, clock::time_point until) {
  set_stage(*j, job_stage::rate_limited);
  timed_.emplace(until, std::move(j));
}

void held_jobs::return_at(job_ptr j, clock::time_point at) {
  set_stage(*j, job_stage::returning);
  timed_.emplace(at, std::move(j));
}

void held_jobs::schedule(job_ptr j) { add(std::move(j), job_stage::scheduling); }

void held_jobs::hold_unknown(job_ptr j) { add(std::move(j), job_stage::unknown); }

void held_jobs::start(const job_ptr& j) {
  set_stage(*j, job_stage::starting);
  started_.emplace(j->m.tag, j);
}

void held_jobs::run(const job_ptr& j) { set_stage(*j, job_stage::running); }

void held_jobs::end(job_ptr j) { add(std::move(j), job_stage::ended); }

void held_jobs::dead_letter(job_ptr j, std::string reason) {
  j->dead_letter_reason = std::move(reason);
  add(std::move(j), job_stage::dead_letter);
}

void held_jobs::give_up(const job_ptr& j) {
  started_.erase(j->m.tag);
  add(j, job_stage::given_up);
}

void held_jobs::forget(const job_ptr& j) {
  started_.erase(j->m.tag);
  set_stage(*j, job_stage::released);
}

job_ptr held_jobs::take_first(std::deque<job_ptr>& from) {
  if (from.empty()) return nullptr;
  auto j = std::move(from.front());
  from.pop_front();
  set_stage(*j, job_stage::released);
  return j;
}

std::vector<job_ptr> held_jobs::release_due(clock::time_point now) {
  std::vector<job_ptr> returning;
  while (!timed_.empty() && timed_.begin()->first <= now) {
    auto j = std::move(timed_.begin()->second);
    timed_.erase(timed_.begin());
    if (j->stage != job_stage::returning) {
      make_ready(std::move(j));
      continue;
    }
    set_stage(*j, job_stage::released);
    returning.push_back(std::move(j));
  }
  return returning;
}

std::vector<job_ptr> held_jobs::take(job_stage stage, std::size_t limit) {
  auto& from = list(stage);
  const auto end = from.begin() + static_cast<std::ptrdiff_t>(std::min(limit, from.size()));
  std::vector<job_ptr> out(std::make_move_iterator(from.begin()), std::make_move_iterator(end));
  from.erase(from.begin(), end);
  for (const auto& j : out) set_stage(*j, job_stage::released);
  return out;
}

std::vector<job_ptr> held_jobs::take_unstarted() {
  std::vector<job_ptr> out(ready_.begin(), ready_.end());
  ready_.clear();
  for (auto& [at, j] : timed_) out.push_back(std::move(j));
  timed_.clear();
  for (const auto& j : out) set_stage(*j, job_stage::released);
  for (const auto stage : {job_stage::unknown, job_stage::scheduling, job_stage::given_up}) {
    auto some = take(stage);
    out.insert(out.end(), some.begin(), some.end());
  }
  return out;
}

std::vector<std::string> held_jobs::renew_leases(double now_s, double age_s) {
  std::vector<std::string> tags;
  const auto renew = [&](job& j) {
    if (j.acknowledged || j.leased_s > now_s - age_s) return;
    j.leased_s = now_s;
    tags.push_back(j.m.tag);
  };
  for (const auto& j : ready_) renew(*j);
  for (const auto& [at, j] : timed_) renew(*j);
  for (const auto stage : {job_stage::scheduling, job_stage::unknown})
    for (const auto& j : list(stage)) renew(*j);
  for (const auto& [tag, j] : started_) renew(*j);
  return tags;
}

bool held_jobs::all_written() const noexcept {
  return started_.empty() && count(job_stage::ended) == 0 && count(job_stage::dead_letter) == 0;
}

std::optional<held_jobs::clock::time_point> held_jobs::next_due() const {
  if (timed_.empty()) return std::nullopt;
  return timed_.begin()->first;
}

std::vector<job_ptr> held_jobs::started() const {
  std::vector<job_ptr> out;
  out.reserve(started_.size());
  for (const auto& [tag, j] : started_) out.push_back(j);
  return out;
}

std::vector<job_ptr> held_jobs::waiting() const {
  std::vector<job_ptr> out;
  for (const auto& [at, j] : timed_)
    if (j->stage != job_stage::returning) out.push_back(j);
  return out;
}

}  // namespace skirmish::tasks
