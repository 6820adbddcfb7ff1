// /api/tasks, /api/workers, /api/queues.
#pragma once

#include "http/router.hpp"
#include "tasks/admin/operator.hpp"

#include <memory>
#include <string>
#include <vector>

namespace skirmish::tasks {

// `broker` and the io_context behind it belong to the router's thread. Tasks are sent to `queues`
// and to no other.
void add_routes(http::router& to, asio::io_context& io, redis::client& broker, key_names keys,
                std::vector<std::string> queues);

}  // namespace skirmish::tasks
