#include "core/task_group.hpp"

#include "core/log.hpp"
#include "core/message_of.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>

namespace skirmish {
namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

constexpr std::chrono::milliseconds restart_pause_first = 100ms;
constexpr std::chrono::milliseconds restart_pause_limit = 30'000ms;

bool is_cancellation(const std::exception_ptr& problem) {
  try {
    std::rethrow_exception(problem);
  } catch (const boost::system::system_error& e) {
    return e.code() == asio::error::operation_aborted;
  } catch (...) {
    return false;
  }
}

void report(const std::string& name, const std::exception_ptr& problem) {
  if (!problem || is_cancellation(problem)) return;
  log::error("task_failed", {{"task", name}, {"error", message_of(problem)}});
}

// A function of its own: g++ 12 miscompiles the list of fields in a coroutine.
void report_restart(const std::string& name, const std::exception_ptr& problem,
                    std::chrono::milliseconds pause) {
  log::error("task_restarted",
             {{"task", name}, {"error", message_of(problem)}, {"pause_ms", pause.count()}});
}

awaitable<void> restart_forever(asio::io_context& io, std::string name,
                                std::function<awaitable<void>()> work) {
  auto pause = restart_pause_first;
  while (true) {
    const auto begin = steady::now();
    std::exception_ptr problem;
    try {
      co_await work();
    } catch (...) {
      problem = std::current_exception();
    }
    if (!problem) co_return;
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) co_return;
    if (steady::now() - begin > restart_pause_limit) pause = restart_pause_first;
    report_restart(name, problem, pause);
    asio::steady_timer timer(io, pause);
    co_await timer.async_wait(use_awaitable);
    pause = std::min(2 * pause, restart_pause_limit);
  }
}

}  // namespace

task_group::task_group(asio::io_context& io) : io_(io), changed_(io) {}

task_group::~task_group() {
  for (const auto& item : running_) item->is_orphan = true;
}

bool task_group::spawn(std::string name, std::function<awaitable<void>()> work) {
  if (closed_) return false;
  auto self = std::make_shared<entry>();
  const auto place = running_.insert(running_.end(), self);
  auto done = [this, place, self, name = std::move(name)](const std::exception_ptr& problem) {
    report(name, problem);
    if (self->is_orphan) return;
    running_.erase(place);
    changed_.set();
  };
  asio::co_spawn(io_, std::move(work),
                 asio::bind_cancellation_slot(self->signal.slot(), std::move(done)));
  return true;
}

bool task_group::keep_running(std::string name, std::function<awaitable<void>()> work) {
  auto kept = [this, name, work = std::move(work)] { return restart_forever(io_, name, work); };
  return spawn(std::move(name), std::move(kept));
}

void task_group::close() {
  closed_ = true;
  // A coroutine may end inside emit() and erase itself, so walk over a copy.
  const auto copy = running_;
  for (const auto& item : copy) item->signal.emit(asio::cancellation_type::terminal);
}

awaitable<bool> task_group::wait(std::chrono::steady_clock::duration deadline) {
  const auto limit = steady::now() + deadline;
  while (!running_.empty()) {
    const bool has_changed = co_await changed_.wait_until(limit);
    if (!has_changed) break;
  }
  co_return running_.empty();
}

}  // namespace skirmish
