#include "core/event.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include <utility>

namespace skirmish {

// Has a timer of its own, so that every wait has a deadline of its own.
struct event::waiter {
  waiter(event& at, clock::time_point deadline) : of(&at), timer(at.executor_, deadline) {
    at.waiting_.push_back(this);
  }
  // Also when the loop drops the coroutine.
  ~waiter() {
    if (of) std::erase(of->waiting_, this);
  }
  waiter(const waiter&) = delete;
  waiter& operator=(const waiter&) = delete;

  void wake() {
    of = nullptr;
    is_woken = true;
    timer.cancel();
  }
  void abandon() {
    of = nullptr;
    timer.cancel();
  }

  event* of;  // null once the event does not know it any more
  asio::steady_timer timer;
  bool is_woken = false;
};

event::~event() {
  for (auto* one : waiting_) one->abandon();
}

void event::set() {
  if (waiting_.empty()) is_set_ = true;
  for (auto* one : waiting_) one->wake();
  waiting_.clear();
}

awaitable<void> event::wait() { co_await wait_until(clock::time_point::max()); }

awaitable<bool> event::wait_for(clock::duration limit) { return wait_until(clock::now() + limit); }

awaitable<bool> event::wait_until(clock::time_point deadline) {
  if (std::exchange(is_set_, false)) co_return true;
  waiter mine(*this, deadline);
  error_code ec;
  co_await mine.timer.async_wait(asio::redirect_error(use_awaitable, ec));
  // From here on the event may be gone. The timer's own answer decides nothing where a set() came
  // after it had expired, and before this went on.
  if (mine.is_woken) co_return true;
  if (!mine.of) throw boost::system::system_error(asio::error::operation_aborted, "event");
  if (!ec) co_return false;
  const bool is_thrown = co_await asio::this_coro::throw_if_cancelled();
  if (is_thrown) throw boost::system::system_error(asio::error::operation_aborted, "event");
  co_return false;
}

}  // namespace skirmish
