#include "builtin_tasks/task_share.hpp"

#include <algorithm>
#include <random>
#include <thread>

namespace skirmish::builtin_tasks {
namespace {

using namespace std::chrono_literals;

// It waits for a place as long as it takes.
constexpr int retries_max = 1'000'000;

// The longer a task has waited, the less often it is looked at. Spread, so that those who wait do
// not all come at once.
std::chrono::milliseconds pause_after(int retries) {
  thread_local std::minstd_rand random{std::random_device{}()};
  const auto longest = std::min<std::int64_t>(60'000, 4'000 + std::int64_t{retries} * 2'000);
  return std::chrono::milliseconds(
      std::uniform_int_distribution<std::int64_t>(2'000, longest)(random));
}

}  // namespace

task_share::task_share(std::size_t concurrency) {
  if (concurrency == 0) concurrency = std::max(1U, std::thread::hardware_concurrency());
  most_ = std::max<std::size_t>(1, concurrency / 2);
}

task_share::place::place(task_share& from, const tasks::task_context& self) : from_(from) {
  if (from.taken_++ < from.most_) return;
  --from.taken_;
  self.retry({.countdown = pause_after(self.retries()), .max_retries = retries_max});
}

}  // namespace skirmish::builtin_tasks
