#include "redis/threaded_client.hpp"

#include <boost/asio/post.hpp>

namespace skirmish::redis {

threaded_client::threaded_client(connection_config config, std::string name)
    : client_(io_, std::move(config), std::move(name)) {}

threaded_client::~threaded_client() { stop(); }

void threaded_client::start() {
  tasks_.spawn("redis", [this] { return client_.run(); });
  thread_ = std::thread([this] { run_loop(io_); });
}

void threaded_client::stop() {
  if (!thread_.joinable()) return;
  asio::post(io_, [this] { control_.spawn("redis_stop", [this] { return shut_down(); }); });
  thread_.join();
  io_.drop_waiting();
}

awaitable<void> threaded_client::shut_down() {
  const stop_at_exit end{io_};
  client_.stop();
  co_await tasks_.wait(std::chrono::seconds(2));
}

}  // namespace skirmish::redis
