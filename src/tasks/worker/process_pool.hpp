// Runs each task function in a child process, so that a hard time limit or `terminate` really ends
// it.
//
// Forking a process with threads is unsafe, so a fork server is forked first, while there is one
// thread: it has the app's tasks and nothing else, and forks children on request. Children are
// reused until they are killed.
#pragma once

#include "tasks/worker/job.hpp"

#include <sys/types.h>

#include <map>
#include <mutex>
#include <string_view>
#include <vector>

namespace skirmish::tasks {

class process_pool {
 public:
  // Call before any thread is started; the app must have all its tasks. The children keep only the
  // environment variables that `environment` names ("PATH,LC_*"): the rest, with the passwords that
  // the worker was started with, is overwritten in their memory.
  process_pool(app::impl& owner, std::string_view environment);
  ~process_pool();
  process_pool(const process_pool&) = delete;
  process_pool& operator=(const process_pool&) = delete;

  // Runs the job in a child and settles it; on a thread of the pool, which waits. False when the
  // loop had settled it meanwhile.
  bool run(job& j);
  // Sends a signal to the child that runs this job, if one does.
  void kill(const job& j, int signal_number);

 private:
  struct child {
    pid_t pid = 0;
    int socket = -1;
  };
  child take_child();
  void give_back(child c);
  void discard(child c);

  int server_ = -1;  // a socket to the fork server
  pid_t server_pid_ = 0;
  std::mutex mutex_;
  std::vector<child> idle_;
  std::map<const job*, child> busy_;
};

}  // namespace skirmish::tasks
