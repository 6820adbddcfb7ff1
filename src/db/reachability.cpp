#include "db/reachability.hpp"

#include "core/error.hpp"
#include "core/log.hpp"
#include "core/repeat.hpp"

#include <boost/asio/cancel_after.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

namespace skirmish::db {

awaitable<bool> reachability::answers() {
  const auto executor = co_await asio::this_coro::executor;
  const auto ask = [this] { return db_.ping(); };
  try {
    co_await asio::co_spawn(executor, ask, asio::cancel_after(patience, use_awaitable));
    co_return true;
  } catch (const failure&) {
  } catch (const boost::system::system_error&) {
    // No answer in time, or run() was cancelled.
  }
  co_return false;
}

awaitable<void> reachability::run() {
  if (db_.kind() == sql_kind::sqlite) co_return;
  repeat how{.interval = period, .failed = "sql_ping_failed"};
  const auto round = [this] { return look(); };
  co_await repeat_every(std::move(how), round);
}

awaitable<void> reachability::look() {
  const bool now_ok = co_await answers();
  const auto cancellation = co_await asio::this_coro::cancellation_state;
  if (cancellation.cancelled() != asio::cancellation_type::none) co_return;
  if (now_ok != ok_.exchange(now_ok))
    log::warn(now_ok ? "sql_answers_again" : "sql_does_not_answer");
}

}  // namespace skirmish::db
