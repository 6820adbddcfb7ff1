#include "tasks/worker/thread_pool.hpp"

#include <algorithm>

namespace skirmish::tasks {

// Shared by all threads, because a thread that hangs in a task may outlive the pool.
struct thread_pool::shared {
  std::mutex mutex;
  std::condition_variable work_arrived;
  std::condition_variable thread_ended;
  callbacks handlers;
  std::deque<job_ptr> waiting;
  std::vector<job_ptr> done;
  std::size_t limit = 0;    // threads wanted
  std::size_t threads = 0;  // alive and counted
  std::size_t idle = 0;
  std::size_t abandoned = 0;  // alive, hanging, not counted
  bool stopping = false;
};

thread_pool::thread_pool(std::size_t size, callbacks handlers)
    : shared_(std::make_shared<shared>()) {
  shared_->handlers = std::move(handlers);
  shared_->limit = size;
}

thread_pool::~thread_pool() { stop(std::chrono::milliseconds{0}); }

void thread_pool::work(const std::shared_ptr<shared>& in) {
  std::unique_lock lock(in->mutex);
  while (true) {
    while (in->waiting.empty() && !in->stopping && in->threads <= in->limit) {
      ++in->idle;
      in->work_arrived.wait(lock);
      --in->idle;
    }
    if (in->stopping || in->threads > in->limit) break;
    auto next = std::move(in->waiting.front());
    in->waiting.pop_front();
    lock.unlock();
    const bool mine = in->handlers.run(*next);
    lock.lock();
    if (!mine) {
      // The loop gave this job up and stopped counting this thread; now it counts again.
      --in->abandoned;
      ++in->threads;
      continue;
    }
    if (in->stopping) break;  // nobody takes it any more
    in->done.push_back(std::move(next));
    if (in->done.size() == 1) in->handlers.on_done();
  }
  --in->threads;
  in->thread_ended.notify_all();
}

void thread_pool::start_thread() {
  ++shared_->threads;
  threads_.emplace_back([in = shared_] { work(in); });
}

void thread_pool::submit(std::vector<job_ptr>& jobs) {
  if (jobs.empty()) return;
  static const std::size_t cores = std::max(1U, std::thread::hardware_concurrency());
  const std::lock_guard lock(shared_->mutex);
  for (auto& j : jobs) shared_->waiting.push_back(std::move(j));
  const auto wanted = std::min(jobs.size(), cores);
  jobs.clear();
  std::size_t woken = 0;
  for (; woken < std::min(wanted, shared_->idle); ++woken) shared_->work_arrived.notify_one();
  while (woken < wanted && shared_->threads < std::min(shared_->limit, cores)) {
    start_thread();
    ++woken;
  }
}

bool thread_pool::spread() {
  const std::lock_guard lock(shared_->mutex);
  auto& in = *shared_;
  if (in.waiting.empty()) return false;
  if (in.idle > 0) in.work_arrived.notify_all();
  for (auto missing = in.waiting.size() > in.idle ? in.waiting.size() - in.idle : 0;
       missing > 0 && in.threads < in.limit; --missing)
    start_thread();
  return true;
}

void thread_pool::take_done(std::vector<job_ptr>& into) {
  const std::lock_guard lock(shared_->mutex);
  into.swap(shared_->done);
}

void thread_pool::resize(std::size_t size) {
  const std::lock_guard lock(shared_->mutex);
  shared_->limit = size;
  shared_->work_arrived.notify_all();
}

void thread_pool::abandon_one() {
  const std::lock_guard lock(shared_->mutex);
  --shared_->threads;
  ++shared_->abandoned;
  if (!shared_->waiting.empty() && shared_->threads < shared_->limit) start_thread();
}

std::size_t thread_pool::size() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->limit;
}

void thread_pool::stop(std::chrono::milliseconds patience) {
  std::unique_lock lock(shared_->mutex);
  shared_->stopping = true;
  shared_->work_arrived.notify_all();
  const bool all_ended = shared_->thread_ended.wait_for(
      lock, patience, [this] { return shared_->threads == 0 && shared_->abandoned == 0; });
  lock.unlock();
  for (auto& thread : threads_) {
    if (all_ended)
      thread.join();
    else
      thread.detach();
  }
  threads_.clear();
}

}  // namespace skirmish::tasks
