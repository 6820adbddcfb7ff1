#include "status/worker.hpp"

#include "core/event.hpp"
#include "core/log.hpp"
#include "core/message_of.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

#include <atomic>
#include <memory>

namespace skirmish::status {
namespace {

using namespace std::chrono_literals;

// A function of its own: g++ 12 miscompiles the list of fields in a coroutine.
void log_left(const task_group& tasks) {
  log::warn("status_tasks_left_at_shutdown", {{"count", tasks.size()}});
}

}  // namespace

worker::worker(const config& settings, const redis::connection_config& redis, db::database& db,
               const clock& time, metrics::registry& metrics, bool may_lead)
    : redis_(io_, redis, "skirmish-status"),
      keeper_(tasks_, redis_, redis.database, db, settings, time, metrics, may_lead) {}

worker::~worker() { stop(); }

void worker::start() {
  tasks_.keep_running("status_redis", [this] { return redis_.run(); });
  keeper_.start();
  thread_ = std::thread([this] { run_loop(io_); });
}

void worker::database_prepared() {
  asio::post(io_, [this] { keeper_.database_prepared(); });
}

void worker::stop() {
  if (!thread_.joinable()) return;
  asio::post(io_, [this] { control_.spawn("status_shut_down", [this] { return shut_down(); }); });
  thread_.join();
  io_.drop_waiting();
}

awaitable<void> worker::shut_down() {
  const stop_at_exit end{io_};
  co_await keeper_.hand_over();
  redis_.stop();
  tasks_.close();
  const bool have_ended = co_await tasks_.wait(2s);
  if (!have_ended) log_left(tasks_);
}

awaitable<bool> worker::ask(std::function<awaitable<void>(keeper&)> work,
                            std::chrono::milliseconds patience) {
  // The caller waits on its own loop, so nothing of one thread is touched by the other.
  const auto executor = co_await asio::this_coro::executor;
  const auto done = std::make_shared<event>(executor);
  auto job = [work = std::move(work), executor, done](keeper& k) -> awaitable<void> {
    try {
      co_await work(k);
    } catch (...) {
      log::warn("status_request_failed", {{"error", message_of(std::current_exception())}});
    }
    asio::post(executor, [done] { done->set(); });
  };
  tell(std::move(job));
  co_return co_await done->wait_for(patience);
}

void worker::tell(std::function<awaitable<void>(keeper&)> work) {
  asio::post(io_, [this, work = std::move(work)]() mutable {
    auto run = [this, work = std::move(work)] { return work(keeper_); };
    tasks_.spawn("status_request", std::move(run));
  });
}

void worker::refresh_soon() {
  tell([](keeper& k) -> awaitable<void> { co_await k.refresh(); });
}

}  // namespace skirmish::status
