// A child that dies with its parent and inherits nothing that it was not given.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

namespace skirmish::redis {

class child_process {
 public:
  struct launch {
    std::string program;                 // a path
    std::vector<std::string> arguments;  // without the program's name
    int output = -1;     // becomes the child's standard output and error; -1: /dev/null
    int kept_open = -1;  // one more descriptor that stays open in the child, with its number
    std::string directory = {};  // to start in; empty: that of this process
  };

  child_process() = default;  // no child

  // Starts the program. Linux sends it SIGTERM when the calling *thread* ends, so call this on a
  // thread that lives as long as the child shall, best the main thread. The child is in a process
  // group of its own: Ctrl-C in a terminal does not reach it. Throws `failure` when it cannot be
  // started.
  explicit child_process(const launch& what);

  // Ends the child: SIGTERM, and SIGKILL after five seconds.
  ~child_process();
  child_process(child_process&& other) noexcept;
  child_process& operator=(child_process&& other) noexcept;

  // 0 when there is no child, or when it has ended and that was seen.
  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  // False once the child has ended (which this finds out).
  bool running();
  // Does nothing when there is no child.
  void signal(int number) const noexcept;
  // Blocks until the child has ended; false when the deadline passed first.
  bool wait(std::chrono::milliseconds deadline);
  // How it ended: "exit code 1", "signal 9"; empty before.
  [[nodiscard]] const std::string& ending() const noexcept { return ending_; }

 private:
  pid_t pid_ = 0;
  std::string ending_;
};

// The first of `names` that is an executable file in PATH or in the usual directories; empty when
// there is none.
std::string find_program(const std::vector<std::string>& names);

}  // namespace skirmish::redis
