// The task system as one feature of a server thread: its routes and the history of tasks.
#pragma once

#include "core/task_group.hpp"
#include "http/router.hpp"
#include "tasks/admin/history.hpp"
#include "tasks/tasks_keys.hpp"

#include <string>
#include <vector>

namespace skirmish::tasks {

class feature {
 public:
  // `send_queues`: what POST /api/tasks may send to.
  feature(asio::io_context& io, redis::client& redis, redis::subscriber& subscriber, key_names keys,
          std::vector<std::string> send_queues);

  void add_to(http::router& routes);
  // One thread is enough: a lease lets one of all servers record at a time.
  void start_on_first(task_group& group);

 private:
  asio::io_context& io_;
  redis::client& redis_;
  key_names keys_;
  std::vector<std::string> send_queues_;
  history_recorder history_;
};

}  // namespace skirmish::tasks
