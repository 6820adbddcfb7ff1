// How a thread runs its io_context, and how what still waits on it ends.
#pragma once

#include <boost/asio/io_context.hpp>

namespace skirmish {

// Runs handlers until `io` is stopped. An exception that a handler lets out is a defect, but no
// reason to take the thread's other connections down: it is logged, and the loop goes on.
void run_loop(boost::asio::io_context& io);

// An io_context whose owner ends what still waits on it while everything that it refers to is
// alive. Without that, the io_context (built first, so destroyed last) would destroy the frames of
// suspended coroutines after the objects that their clean-up touches.
class event_loop : public boost::asio::io_context {
 public:
  using io_context::io_context;

  // Stops, and destroys every coroutine and handler that waits. Nothing runs here afterwards; call
  // it when no thread runs the loop any more.
  void drop_waiting() {
    stop();
    shutdown();
  }
};

// Stops a loop at the end of a scope, whatever ends that.
struct stop_at_exit {
  boost::asio::io_context& io;
  ~stop_at_exit() { io.stop(); }
};

}  // namespace skirmish
