#include "core/task_group.hpp"

#include "core/log.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/system/system_error.hpp>

namespace skirmish {
namespace {

void report(const std::string& name, const std::exception_ptr& problem) {
  if (!problem) return;
  try {
    std::rethrow_exception(problem);
  } catch (const boost::system::system_error& e) {
    if (e.code() == asio::error::operation_aborted) return;
    log::error("task_failed", {{"task", name}, {"error", e.what()}});
  } catch (const std::exception& e) {
    log::error("task_failed", {{"task", name}, {"error", e.what()}});
  }
}

}  // namespace

task_group::task_group(asio::io_context& io) : io_(io), changed_(io) {
  changed_.expires_at(asio::steady_timer::time_point::max());
}

task_group::~task_group() = default;

bool task_group::spawn(std::string name, std::function<awaitable<void>()> work) {
  if (closed_) return false;
  auto self = std::make_shared<entry>();
  const auto place = running_.insert(running_.end(), self);
  auto done = [this, place, self, name = std::move(name)](const std::exception_ptr& problem) {
    report(name, problem);
    running_.erase(place);
    changed_.cancel();
  };
  asio::co_spawn(io_, std::move(work),
                 asio::bind_cancellation_slot(self->signal.slot(), std::move(done)));
  return true;
}

void task_group::close() {
  closed_ = true;
  // A coroutine may end inside emit() and erase itself, so walk over a copy.
  const auto copy = running_;
  for (const auto& item : copy) item->signal.emit(asio::cancellation_type::terminal);
}

awaitable<bool> task_group::wait(std::chrono::steady_clock::duration deadline) {
  asio::steady_timer limit(io_, deadline);
  bool expired = false;
  limit.async_wait([this, &expired](error_code ec) {
    if (ec) return;
    expired = true;
    changed_.cancel();
  });
  while (!running_.empty() && !expired) {
    error_code ignored;
    co_await changed_.async_wait(asio::redirect_error(use_awaitable, ignored));
  }
  limit.cancel();
  // The cancelled handler refers to this frame: let it run before the frame goes.
  co_await asio::post(io_, use_awaitable);
  co_return running_.empty();
}

}  // namespace skirmish
