#include "core/run_loop.hpp"

#include "core/log.hpp"
#include "core/message_of.hpp"

#include <boost/asio/executor_work_guard.hpp>

namespace skirmish {

void run_loop(boost::asio::io_context& io) {
  const auto keep = boost::asio::make_work_guard(io);
  while (true) {
    try {
      io.run();
      return;
    } catch (...) {
      log::error("unhandled_exception", {{"error", message_of(std::current_exception())}});
    }
  }
}

}  // namespace skirmish
