// A client on a thread of its own, for a sender of megabytes. Boost.Redis writes a request in
// pieces of 64 KB, and on a busy event loop each piece waits for its turn among everything else.
//
// Call the client through its context(): co_spawn there, and await the outcome on your own loop.
#pragma once

#include "core/run_loop.hpp"
#include "core/task_group.hpp"
#include "redis/client.hpp"

#include <string>
#include <thread>

namespace skirmish::redis {

class threaded_client {
 public:
  threaded_client(connection_config config, std::string name);
  ~threaded_client();
  threaded_client(const threaded_client&) = delete;
  threaded_client& operator=(const threaded_client&) = delete;

  void start();
  // Fails what is under way and joins the thread. What then still waits for an outcome on another
  // loop is destroyed, so that loop must have ended by then.
  void stop();

  [[nodiscard]] redis::client& client() noexcept { return client_; }
  [[nodiscard]] bool connected() const noexcept { return client_.connected(); }

 private:
  awaitable<void> shut_down();

  event_loop io_{1};
  redis::client client_;
  task_group tasks_{io_};
  task_group control_{io_};
  std::thread thread_;
};

}  // namespace skirmish::redis
