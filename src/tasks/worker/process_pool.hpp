// Runs each task function in a child process, so that a hard time limit or `terminate` really ends
// it.
//
// Forking a process with threads is unsafe, so a nursery is forked first, while there is one
// thread: it has the app's tasks and nothing else, and forks the children that are asked for.
// Children are used again until they are killed.
#pragma once

#include "tasks/worker/job.hpp"

#include <sys/types.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <string_view>
#include <vector>

namespace skirmish::tasks {

class sandbox {
 public:
  // Call before any thread is started. The app must have all its tasks. Of the environment the
  // children keep the variables that `environment` names ("PATH,LC_*"): the rest, with the
  // passwords that the worker was started with, is overwritten in their memory.
  sandbox(app::impl& owner, std::string_view environment);
  ~sandbox();
  sandbox(const sandbox&) = delete;
  sandbox& operator=(const sandbox&) = delete;

  // Runs the job in a child and settles it; on a thread of the pool, which waits. False when it was
  // settled elsewhere.
  bool run(job& j);
  // Kills the child that runs this job.
  void kill(const job& j, int signal_number);

 private:
  struct child {
    pid_t pid = 0;
    int socket = -1;
  };
  child take_child();
  void give_back(child c);
  void discard(child c);

  int nursery_ = -1;
  pid_t nursery_pid_ = 0;
  std::mutex mutex_;
  std::vector<child> idle_;
  std::map<const job*, child> busy_;
};

}  // namespace skirmish::tasks
