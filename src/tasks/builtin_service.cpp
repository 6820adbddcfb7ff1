#include "tasks/builtin_service.hpp"

#include "skirmish/tasks/coroutine.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace skirmish::tasks {
namespace {

constexpr double sleep_limit_s = 86'400;

boost::asio::awaitable<json> sleep(double seconds) {
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor);
  const std::chrono::duration<double> how_long(std::clamp(seconds, 0.0, sleep_limit_s));
  timer.expires_after(std::chrono::duration_cast<std::chrono::nanoseconds>(how_long));
  co_await timer.async_wait(boost::asio::use_awaitable);
  co_return seconds;
}

}  // namespace

void add_diagnostic_tasks(app& to) {
  to.task("echo", [](json value) { return value; }, {.parameters = {"value"}});
  to.task("sleep", sleep, {.parameters = {"seconds"}});
}

}  // namespace skirmish::tasks
