// Says that a process is there which is no server: a worker, beat or status worker. It has a thread
// and a connection to Redis of its own, so that nothing waits for it.
#pragma once

#include "core/run_loop.hpp"
#include "core/task_group.hpp"
#include "diagnostics/servers.hpp"
#include "redis/client.hpp"
#include "redis/key_space.hpp"

#include <cstddef>
#include <string>
#include <thread>

namespace skirmish::diagnostics {

class announcement {
 public:
  // `role`: one of `roles`. `threads`: how many work in it.
  announcement(const redis::connection_config& redis, redis::key_space keys, std::string role,
               std::size_t threads, metrics::registry& metrics);
  // Takes the process out of the list, if Redis answers in time (redis.timeout).
  ~announcement();
  announcement(const announcement&) = delete;
  announcement& operator=(const announcement&) = delete;

 private:
  awaitable<void> shut_down();

  system_clock clock_;
  redis::key_space keys_;
  event_loop io_{1};
  task_group tasks_{io_};
  task_group control_{io_};
  redis::client redis_;
  servers servers_;
  std::thread thread_;
};

}  // namespace skirmish::diagnostics
