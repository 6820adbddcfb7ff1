#include "tasks/tasks_feature.hpp"

#include "tasks/tasks_routes.hpp"

namespace skirmish::tasks {

feature::feature(asio::io_context& io, redis::client& redis, redis::subscriber& subscriber,
                 key_names keys, std::vector<std::string> send_queues)
    : io_(io),
      redis_(redis),
      keys_(std::move(keys)),
      send_queues_(std::move(send_queues)),
      history_(io, redis, subscriber, keys_) {}

void feature::add_to(http::router& routes) { add_routes(routes, io_, redis_, keys_, send_queues_); }

void feature::start_on_first(task_group& group) {
  group.keep_running("task_history", [this] { return history_.run(); });
}

}  // namespace skirmish::tasks
