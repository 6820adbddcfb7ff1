// `self`: the message that a task runs for, and what the task may do with it.
#pragma once

#include "skirmish/tasks/types.hpp"

#include <functional>
#include <memory>
#include <string_view>

namespace skirmish::tasks {

struct arguments {
  json_array args;
  json_object kwargs;
};

struct retry_options {
  std::optional<milliseconds> countdown = {};  // default: the task's delay
  std::optional<time_point> eta = {};
  std::optional<int> max_retries = {};
};

// Lives as long as the task runs. Its members may be called from any thread.
class task_context {
 public:
  virtual ~task_context() = default;

  [[nodiscard]] virtual std::string_view id() const = 0;
  [[nodiscard]] virtual std::string_view name() const = 0;
  [[nodiscard]] virtual std::string_view root_id() const = 0;
  [[nodiscard]] virtual std::string_view parent_id() const = 0;  // empty: none
  [[nodiscard]] virtual std::string_view group() const = 0;      // empty: none
  [[nodiscard]] virtual std::string_view queue() const = 0;
  [[nodiscard]] virtual std::string_view hostname() const = 0;  // the worker's node name
  [[nodiscard]] virtual int retries() const = 0;
  [[nodiscard]] virtual std::optional<time_point> eta() const = 0;
  [[nodiscard]] virtual std::optional<time_point> expires() const = 0;
  [[nodiscard]] virtual json_object headers() const = 0;

  // Publishes a state of your own, for progress: `self.update_state({{"done", 3}})`.
  virtual void update_state(json meta, std::string_view state = "PROGRESS") = 0;

  // Ends this run and sends the message again, later. When no retries remain, the reason becomes
  // the result.
  [[noreturn]] void retry(retry_options options = {}) const;
  [[noreturn]] void retry(milliseconds countdown) const {
    retry(retry_options{.countdown = countdown});
  }
  // The same with the exception that will be the result when the retries are used up.
  [[noreturn]] void retry(const std::exception_ptr& reason, retry_options options = {}) const;

  // True once the task was revoked with terminate, or its worker shuts down cold: end soon.
  [[nodiscard]] virtual bool is_aborted() const = 0;
  // Throws task_aborted or soft_time_limit_exceeded when it is time to end.
  virtual void check() const = 0;
};

// What retry() throws. Do not swallow it.
struct retry_requested {
  retry_options options;
  std::exception_ptr reason;
};

// A task as the worker runs it. Exactly one of `run` and `start` is set.
struct task_definition {
  using done_handler = std::function<void(std::exception_ptr, json)>;

  std::string name;
  task_options options;
  // On a thread of the pool.
  std::function<json(task_context&, arguments&)> run;
  // A coroutine: on the worker's loop, whose asio::io_context is given. Calls `done` once.
  std::function<void(void* io_context, std::shared_ptr<task_context>, arguments, done_handler done)>
      start;
};

}  // namespace skirmish::tasks
