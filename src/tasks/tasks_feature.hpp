// The task system as one feature of a server thread: routes, channels, and what one thread of a
// server does for all.
#pragma once

#include "core/task_group.hpp"
#include "http/router.hpp"
#include "realtime/realtime.hpp"
#include "tasks/admin/history.hpp"
#include "tasks/admin/overview.hpp"
#include "tasks/tasks_channels.hpp"

#include <string>
#include <vector>

namespace skirmish::tasks {

struct feature_settings {
  std::vector<std::string> send_queues;  // what POST /api/tasks may send to
  std::size_t history_limit_tasks = 100'000;
};

class feature {
 public:
  feature(asio::io_context& io, redis::client& redis, redis::subscriber& subscriber, key_names keys,
          overview_board& board, feature_settings s);

  void add_to(http::router& routes, realtime::gateway& gateway);
  void start(task_group& group);
  // Records the history (a lease lets one of all servers do so at a time) and computes the
  // overview.
  void start_on_first(task_group& group);

 private:
  asio::io_context& io_;
  redis::client& redis_;
  key_names keys_;
  overview_board& board_;
  feature_settings settings_;
  history_recorder history_;
  overview_keeper overview_;
  operation_channels channels_;
};

}  // namespace skirmish::tasks
