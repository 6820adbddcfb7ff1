// What an embedded server prints: its log becomes lines of ours, and the end of it is the end of
// the process.
#pragma once

#include "core/asio.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <deque>
#include <string>
#include <string_view>

namespace skirmish::redis {

class server_output {
 public:
  // Takes the read end of the pipe.
  server_output(asio::io_context& io, int descriptor) : pipe_(io, descriptor) {}

  // Relays until the server has ended. May be cancelled and called again.
  awaitable<void> relay();
  // Until this is called, and after it is taken back, warnings are expected and logged as debug: a
  // server gives some whenever it starts and stops.
  void show_warnings(bool on) noexcept { show_warnings_ = on; }
  // The last lines, for the log line about its end.
  [[nodiscard]] std::string last_words() const;

 private:
  void take(std::string_view bytes);
  void take_line(std::string_view line);

  asio::posix::stream_descriptor pipe_;
  std::string unfinished_;
  std::deque<std::string> last_;
  bool show_warnings_ = false;
};

}  // namespace skirmish::redis
