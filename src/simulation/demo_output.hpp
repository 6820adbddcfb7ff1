// The standard output of a simulation, which nobody may read: a pipe that is full must neither hold
// the world up nor keep the program from ending.
#pragma once

#include <unistd.h>

#include <atomic>
#include <string_view>

namespace skirmish::cli {

// What becomes of text while the pipe is full: it waits for the reader, until `stop` and a second
// longer; or it is left out, so that the world plays on.
enum class when_full { wait, leave_out };

class demo_output {
 public:
  demo_output(when_full then, const std::atomic<bool>& stop, int fd = STDOUT_FILENO)
      : then_(then), stop_(stop), fd_(fd) {}

  void write(std::string_view text);

 private:
  bool wait_for_room();

  when_full then_;
  const std::atomic<bool>& stop_;
  int fd_;
};

}  // namespace skirmish::cli
