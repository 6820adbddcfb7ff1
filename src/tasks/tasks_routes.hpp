// The routes of the task system, a file for each group.
#pragma once

#include "http/router.hpp"
#include "tasks/admin/operator.hpp"
#include "tasks/admin/overview.hpp"

#include <memory>
#include <string>
#include <vector>

namespace skirmish::tasks {

// What the handlers of one server thread share. `broker` and the io_context behind it belong to it.
struct route_context {
  asio::io_context& io;
  redis::client& broker;
  key_names keys;
  overview_board& board;

  [[nodiscard]] broker_view view() const { return {io, broker, keys}; }
};

// /api/tasks. Tasks are sent to `queues` and to no other.
void add_task_routes(http::router& to, const std::shared_ptr<route_context>& r,
                     std::vector<std::string> queues);
// /api/queues and /api/workers.
void add_queue_routes(http::router& to, const std::shared_ptr<route_context>& r);
// Under /api/tasks: retry, bulk retry and revoke, trees.
void add_task_action_routes(http::router& to, const std::shared_ptr<route_context>& r);
// /api/dead-letters, /api/schedules.
void add_dead_letter_routes(http::router& to, const std::shared_ptr<route_context>& r);
void add_schedule_routes(http::router& to, const std::shared_ptr<route_context>& r);

}  // namespace skirmish::tasks
