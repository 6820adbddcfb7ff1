#include "tasks/tasks_feature.hpp"

#include "tasks/tasks_routes.hpp"

namespace skirmish::tasks {

feature::feature(asio::io_context& io, redis::client& redis, redis::subscriber& subscriber,
                 key_names keys, overview_board& board, feature_settings s)
    : io_(io),
      redis_(redis),
      keys_(std::move(keys)),
      board_(board),
      settings_(std::move(s)),
      history_(io, redis, subscriber, keys_, settings_.history_limit_tasks, &board),
      overview_(io, redis, subscriber, keys_, board),
      channels_(io, board) {}

void feature::add_to(http::router& routes, realtime::gateway& gateway) {
  const auto context = std::make_shared<route_context>(route_context{io_, redis_, keys_, board_});
  add_task_routes(routes, context, settings_.send_queues);
  add_task_action_routes(routes, context);
  add_queue_routes(routes, context);
  add_dead_letter_routes(routes, context);
  add_schedule_routes(routes, context);
  channels_.add_to(gateway);
}

void feature::start(task_group& group) {
  group.keep_running("task_channels", [this] { return channels_.run(); });
}

void feature::start_on_first(task_group& group) {
  group.keep_running("task_history", [this] { return history_.run(); });
  group.keep_running("task_overview", [this] { return overview_.run(); });
  group.keep_running("task_pings", [this] { return overview_.run_pings(); });
}

}  // namespace skirmish::tasks
