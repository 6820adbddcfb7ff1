// Slow tasks get a share of a worker's slots, so that quick ones always find one free.
#pragma once

#include "skirmish/tasks.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>

namespace skirmish::builtin_tasks {

// Counts the tasks of one class that run in this process. Thread-safe; must outlive their places.
class task_share {
 public:
  // Half of a worker's slots, and one at least. `concurrency` 0: one per processor.
  explicit task_share(std::size_t concurrency);

  // A slot of the share, while it lives.
  class place {
   public:
    // Ends this run when there is none, and has the message sent again after a few seconds.
    place(task_share& from, const tasks::task_context& self);
    ~place() { --from_.taken_; }
    place(const place&) = delete;
    place& operator=(const place&) = delete;

   private:
    task_share& from_;
  };

 private:
  std::size_t most_;
  std::atomic<std::size_t> taken_{0};
};

}  // namespace skirmish::builtin_tasks
