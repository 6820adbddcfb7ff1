#include "builtin_tasks/builtin_service.hpp"

#include "skirmish/tasks/coroutine.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

namespace skirmish::tasks {
namespace {

constexpr double sleep_limit_s = 60;

boost::asio::awaitable<json> sleep(builtin_tasks::task_share& slow, task_context& self,
                                   double seconds) {
  if (!(seconds >= 0 && seconds <= sleep_limit_s))
    throw task_error("ValueError", fmt::format("seconds must be 0 to {}", sleep_limit_s));
  const builtin_tasks::task_share::place mine(slow, self);
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor);
  const std::chrono::duration<double> how_long(seconds);
  timer.expires_after(std::chrono::duration_cast<std::chrono::nanoseconds>(how_long));
  co_await timer.async_wait(boost::asio::use_awaitable);
  co_return seconds;
}

}  // namespace

void add_diagnostic_tasks(app& to, builtin_tasks::task_share& slow) {
  to.task(builtin::echo, [](json value) { return value; },
          {.parameters = {"value"}, .queue = builtin::queue});
  to.task(builtin::sleep,
          [&slow](task_context& self, double seconds) { return sleep(slow, self, seconds); },
          {.parameters = {"seconds"}, .queue = builtin::queue});
}

}  // namespace skirmish::tasks
