// Every job that a worker holds, by stage. Pure bookkeeping: knows neither Redis nor threads.
//
// Used on the worker's loop only. A command moves a job to another stage; a query changes nothing.
#pragma once

#include "tasks/worker/job.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace skirmish::tasks {

class held_jobs {
 public:
  using clock = std::chrono::steady_clock;

  void make_ready(job_ptr j);
  void delay(job_ptr j, clock::time_point until);       // for its eta
  void rate_limit(job_ptr j, clock::time_point until);  // until its rate limit allows it
  void schedule(job_ptr j);                             // its eta is far ahead
  void hold_unknown(job_ptr j);
  void return_at(job_ptr j, clock::time_point at);
  void start(const job_ptr& j);  // takes a slot, until forget() or give_up()
  void run(const job_ptr& j);    // its start was confirmed
  void end(job_ptr j);
  void dead_letter(job_ptr j, std::string reason);
  void give_up(const job_ptr& j);
  // The job is not held any more: its end was written, or it was lost to another worker.
  void forget(const job_ptr& j);

  // The job that has been ready (or ended) for longest; null when there is none. The caller decides
  // what becomes of it.
  job_ptr take_ready() { return take_first(ready_); }
  job_ptr take_ended() { return take_first(list(job_stage::ended)); }
  // Makes the jobs ready whose time has come, and takes those whose time to return has come.
  std::vector<job_ptr> release_due(clock::time_point now);
  // Takes all (or the first `limit`) of a stage that is not ordered by time.
  std::vector<job_ptr> take(job_stage stage, std::size_t limit = static_cast<std::size_t>(-1));
  // Takes everything that has not started or was given up, in the order of serving: for a shutdown.
  std::vector<job_ptr> take_unstarted();
  // The tags whose lease in Redis is older than `age_s`; they count as renewed at `now_s`.
  std::vector<std::string> renew_leases(double now_s, double age_s);

  [[nodiscard]] std::size_t count(job_stage stage) const noexcept {
    return counts_[static_cast<std::size_t>(stage)];
  }
  // Slots in use: jobs from their start until their end has been written.
  [[nodiscard]] std::size_t occupied() const noexcept { return started_.size(); }
  // Nothing runs, and no end or dead letter waits to be written.
  [[nodiscard]] bool all_written() const noexcept;
  // When the next job is due; nullopt when none waits for its time.
  [[nodiscard]] std::optional<clock::time_point> next_due() const;
  [[nodiscard]] const std::deque<job_ptr>& ready() const noexcept { return ready_; }
  [[nodiscard]] std::vector<job_ptr> started() const;
  // Delayed and rate-limited jobs, by the time at which they are due.
  [[nodiscard]] std::vector<job_ptr> waiting() const;

 private:
  void set_stage(job& j, job_stage stage) noexcept;
  void add(job_ptr j, job_stage stage);
  job_ptr take_first(std::deque<job_ptr>& from);
  std::deque<job_ptr>& list(job_stage stage) { return lists_[static_cast<std::size_t>(stage)]; }

  std::deque<job_ptr> ready_;
  std::multimap<clock::time_point, job_ptr> timed_;        // delayed, rate-limited, returning
  std::unordered_map<std::string_view, job_ptr> started_;  // by tag; the view is of the job's own
  std::array<std::deque<job_ptr>, job_stages> lists_;      // stages in the order of arrival
  std::array<std::size_t, job_stages> counts_{};
};

}  // namespace skirmish::tasks
