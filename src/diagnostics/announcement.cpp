#include "diagnostics/announcement.hpp"

#include <boost/asio/post.hpp>

#include <utility>

namespace skirmish::diagnostics {
namespace {

using namespace std::chrono_literals;

constexpr auto end_patience = 1s;

}  // namespace

announcement::announcement(const redis::connection_config& redis, redis::key_space keys,
                           std::string role, std::size_t threads, metrics::registry& metrics)
    : keys_(std::move(keys)),
      redis_(io_, redis, "skirmish-" + role),
      servers_(redis_, keys_, clock_, metrics, [threads] { return threads; }, std::move(role)) {
  tasks_.keep_running("announcement_redis", [this] { return redis_.run(); });
  tasks_.keep_running("announcement", [this] { return servers_.run(); });
  thread_ = std::thread([this] { run_loop(io_); });
}

announcement::~announcement() {
  asio::post(io_, [this] { control_.spawn("leave", [this] { return shut_down(); }); });
  thread_.join();
  io_.drop_waiting();
}

awaitable<void> announcement::shut_down() {
  const stop_at_exit end{io_};
  co_await servers_.leave();
  redis_.stop();
  tasks_.close();
  co_await tasks_.wait(end_patience);
}

}  // namespace skirmish::diagnostics
