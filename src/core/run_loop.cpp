#include "core/run_loop.hpp"

#include "core/log.hpp"

#include <boost/asio/executor_work_guard.hpp>

namespace skirmish {

void run_loop(boost::asio::io_context& io) {
  const auto keep = boost::asio::make_work_guard(io);
  while (true) {
    try {
      io.run();
      return;
    } catch (const std::exception& e) {
      log::error("unhandled_exception", {{"error", e.what()}});
    }
  }
}

}  // namespace skirmish
