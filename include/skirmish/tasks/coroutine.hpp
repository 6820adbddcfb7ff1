// Tasks that are coroutines: they run on the worker's loop and hold no thread while they wait.
//
//   app.task("sleep", [](double seconds) -> boost::asio::awaitable<json> { … });
//
// Include this before registering one. Such a task must not block. It takes its parameters by
// value, and `self` as `task_context&` (it lives until the coroutine has ended).
#pragma once

#include "skirmish/tasks/call.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

namespace skirmish::tasks::detail {

template <class T>
struct bind<boost::asio::awaitable<T>> {
  template <class F>
  static void into(task_definition& to, F f) {
    auto shared = std::make_shared<F>(std::move(f));
    to.start = [shared, options = to.options](void* io, std::shared_ptr<task_context> self,
                                              arguments given, task_definition::done_handler done) {
      auto kept = std::make_shared<arguments>(std::move(given));
      // The function object, the context and the arguments live until the completion handler below
      // is gone.
      auto keep_alive = [shared, self, kept, done = std::move(done)](std::exception_ptr problem,
                                                                     json value) {
        done(std::move(problem), std::move(value));
      };
      boost::asio::co_spawn(*static_cast<boost::asio::io_context*>(io),
                            run<F>(*shared, *self, *kept, options), std::move(keep_alive));
    };
  }

 private:
  template <class F>
  static boost::asio::awaitable<json> run(F& f, task_context& self, arguments& given,
                                          task_options options) {
    if constexpr (std::is_void_v<T>) {
      co_await invoke(f, self, given, options);
      co_return nullptr;
    } else {
      auto value = co_await invoke(f, self, given, options);
      co_return to_json(std::move(value));
    }
  }
};

}  // namespace skirmish::tasks::detail
