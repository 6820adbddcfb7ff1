// How a thread runs its io_context.
#pragma once

#include <boost/asio/io_context.hpp>

namespace skirmish {

// Runs handlers until `io` is stopped. An exception that a handler lets out is a defect, but no
// reason to take the thread's other connections down: it is logged, and the loop goes on.
void run_loop(boost::asio::io_context& io);

}  // namespace skirmish
