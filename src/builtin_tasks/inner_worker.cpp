#include "builtin_tasks/inner_worker.hpp"

#include "builtin_tasks/builtin_service.hpp"
#include "core/log.hpp"
#include "core/message_of.hpp"
#include "tasks/tasks.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

namespace skirmish::builtin_tasks {
namespace {

using namespace std::chrono_literals;

constexpr auto stop_patience = 3s;
constexpr auto retry_pause = 1s;

std::string url_of(const config& settings, const redis::connection_config& redis) {
  if (!settings.redis.url.empty()) return settings.redis.url;
  return "unix://" + std::filesystem::absolute(redis.unix_socket).string();
}

}  // namespace

inner_worker::inner_worker(const config& settings, const surroundings& of,
                           metrics::registry& metrics)
    : settings_(settings),
      metrics_(metrics),
      app_(url_of(settings, of.redis), options_of(of.keys)),
      game_(io_, of),
      stop_requested_(io_) {
  game_.add_to(app_);
}

inner_worker::~inner_worker() { stop(); }

tasks::worker_config inner_worker::worker_settings() const {
  tasks::worker_config c;
  c.queues = tasks::parse_queues(settings_.tasks.queues);
  if (c.queues.empty()) {
    c.queues.emplace_back(tasks::builtin::queue, 1);
    if (settings_.redis.url.empty()) c.queues.emplace_back("celery", 1);
  }
  c.concurrency = static_cast<std::size_t>(settings_.tasks.concurrency);
  c.node = fmt::format("serve-{}@{}", ::getpid(), tasks::host_name());
  c.events = true;  // /api/tasks shows what they tell
  c.shutdown_patience = stop_patience;
  c.metrics = &metrics_;
  return c;
}

awaitable<void> inner_worker::work() {
  game_.start();
  while (!stopping_) {
    tasks::worker worker(app_.internals(), io_, worker_settings());
    running_ = &worker;
    try {
      co_await worker.run();
    } catch (...) {
      log::warn("task_worker_waits", {{"error", message_of(std::current_exception())}});
    }
    running_ = nullptr;
    if (stopping_) break;
    co_await stop_requested_.wait_for(retry_pause);
  }
  co_await game_.stop();
}

void inner_worker::start() {
  thread_ = std::thread([this] {
    const auto run = [this] { return work(); };
    asio::co_spawn(io_, run, [this](const std::exception_ptr& problem) {
      const stop_at_exit end{io_};
      if (problem) log::error("task_worker_failed", {{"error", message_of(problem)}});
    });
    run_loop(io_);
  });
}

void inner_worker::stop() {
  if (!thread_.joinable()) return;
  asio::post(io_, [this] {
    stopping_ = true;
    if (running_) running_->stop();
    stop_requested_.set();
  });
  thread_.join();
  io_.drop_waiting();
}

}  // namespace skirmish::builtin_tasks
