// Running one coroutine to its end, as the command line's tools do.
#pragma once

#include "core/asio.hpp"
#include "core/run_loop.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

namespace skirmish {

// Runs a coroutine to its end on an event loop of its own and returns what it returned, or throws
// what it threw. Then nothing else runs on that loop any more: what the coroutine left behind may
// refer to its frame, which is gone.
template <class F>
auto run(F work) {
  using awaited = typename std::invoke_result_t<F, asio::io_context&>::value_type;
  std::optional<std::conditional_t<std::is_void_v<awaited>, bool, awaited>> out;
  std::exception_ptr problem;
  event_loop io{1};
  const auto drive = [&]() -> awaitable<void> {
    const stop_at_exit end{io};
    try {
      if constexpr (std::is_void_v<awaited>)
        co_await work(io);
      else
        out.emplace(co_await work(io));
    } catch (...) {
      problem = std::current_exception();
    }
  };
  asio::co_spawn(io, drive, asio::detached);
  run_loop(io);
  io.drop_waiting();
  if (problem) std::rethrow_exception(problem);
  if constexpr (!std::is_void_v<awaited>) return std::move(*out);
}

}  // namespace skirmish
