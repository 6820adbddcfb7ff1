// The near caches of a process: what one thread invalidates goes from all of them before
// it goes on, so nobody in the process reads what was there before a write that has been answered.
// Redis' own push would come as well, but a moment later. Thread-safe.
#pragma once

#include "core/asio.hpp"
#include "core/event.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace skirmish::cache {

class near_cache;

class near_cache_group {
 public:
  // `memory` is used on `executor` only. Remove it before the executor's context ends.
  void add(asio::any_io_executor executor, const std::shared_ptr<near_cache>& memory);
  void remove(const std::shared_ptr<near_cache>& memory);

  // These return when all have done it, or after a short while when a thread does not (any more).
  awaitable<void> invalidate(std::string key);
  awaitable<void> clear();

 private:
  using action = std::function<void(near_cache&)>;
  awaitable<void> each(action act);
  void post_to_all(const std::shared_ptr<const action>& work, const asio::any_io_executor& caller,
                   const std::weak_ptr<event>& all_done);

  struct member {
    asio::any_io_executor executor;
    std::weak_ptr<near_cache> memory;
  };
  std::mutex mutex_;
  std::vector<member> members_;
};

}  // namespace skirmish::cache
