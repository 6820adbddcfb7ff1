// Many callers, one execution: who asks while the work is under way waits for that one.
#pragma once

#include "core/event.hpp"
#include "core/task_group.hpp"

#include <memory>
#include <string>

namespace skirmish::status {

// Belongs to one single-threaded io_context. The work runs in the task group, so a caller that goes
// away does not end it for the others.
class single_flight {
 public:
  single_flight(task_group& tasks, std::string name, std::function<awaitable<void>()> work)
      : tasks_(tasks), name_(std::move(name)), work_(std::move(work)) {}

  [[nodiscard]] bool is_under_way() const noexcept { return done_ != nullptr; }

  // Returns when the work has ended; what it throws is logged by the group.
  awaitable<void> join() {
    if (!done_ && !start()) co_return;
    co_await settle();
  }

  // Returns when what is under way has ended: a join() after it begins after this call.
  awaitable<void> settle() {
    const auto done = done_;
    if (done) co_await done->wait();
  }

  // Starts the work unless it is under way.
  bool start() {
    if (done_) return true;
    done_ = std::make_shared<event>(tasks_.context());
    auto run = [this, done = done_]() -> awaitable<void> {
      const ender at_exit{*this, *done};
      co_await work_();
    };
    if (tasks_.spawn(name_, std::move(run))) return true;
    done_.reset();
    return false;
  }

 private:
  struct ender {
    single_flight& self;
    event& done;
    ~ender() {
      done.set();
      self.done_.reset();
    }
  };

  task_group& tasks_;
  std::string name_;
  std::function<awaitable<void>()> work_;
  std::shared_ptr<event> done_;  // set while under way
};

}  // namespace skirmish::status
