#include "redis/threaded_client.hpp"

#include "core/run_loop.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
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
  auto end = [this]() -> awaitable<void> {
    client_.stop();
    co_await tasks_.wait(std::chrono::seconds(2));
    io_.stop();
  };
  asio::co_spawn(io_, std::move(end), asio::detached);
  thread_.join();
}

}  // namespace skirmish::redis
