// Types of the task library: options, and the exceptions that a task may throw.
#pragma once

#include "skirmish/tasks/signature.hpp"

#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace skirmish::tasks {

// How often and how fast publishing is retried while Redis cannot be reached.
struct publish_retry {
  int max_retries = 3;
  milliseconds interval_start{0};
  milliseconds interval_step{200};
  milliseconds interval_max{500};
};

// A moment, or a duration from the moment of sending.
class expiry {
 public:
  template <class Rep, class Period>
  expiry(std::chrono::duration<Rep, Period> from_now)
      : from_now_(std::chrono::duration_cast<milliseconds>(from_now)) {}
  expiry(time_point at) : at_(at) {}
  [[nodiscard]] time_point from(time_point now) const { return at_ ? *at_ : now + from_now_; }

 private:
  std::optional<time_point> at_;
  milliseconds from_now_{0};
};

// How one message is sent. Everything is optional and defaults to the task's options.
struct send_options {
  std::optional<time_point> eta = {};  // do not start before
  std::optional<milliseconds> countdown = {};
  std::optional<expiry> expires = {};  // do not start after
  std::string queue = {};
  std::optional<int> priority = {};  // 0 is served first, 9 last
  std::optional<bool> retry = {};    // retry while Redis is unreachable; default true
  publish_retry retry_policy = {};
  std::string task_id = {};                // default: a new UUID
  std::vector<signature> link = {};        // sent with the result after success
  std::vector<signature> link_error = {};  // sent with the id after failure
  std::optional<bool> ignore_result = {};
  std::string shadow = {};  // shown instead of the name in logs and events
  json_object headers = {};
  std::optional<milliseconds> soft_time_limit = {};
  std::optional<milliseconds> time_limit = {};
  // While a message with this key was sent less than `deduplicate_for` ago, sending again does
  // nothing and returns the earlier task's id.
  std::string deduplication_key = {};
  milliseconds deduplicate_for{std::chrono::hours{1}};
};

// A parameter of a task, so that it can be given by name.
struct parameter {
  parameter(const char* n) : name(n) {}
  parameter(std::string n) : name(std::move(n)) {}
  parameter(std::string n, json f) : name(std::move(n)), fallback(std::move(f)) {}
  std::string name;
  std::optional<json> fallback = {};  // the value when the caller gives none
};

// Properties of a task. Set when it is registered.
struct task_options {
  std::vector<parameter> parameters = {};  // in order, without `self`
  std::string queue = {};
  std::optional<int> priority = {};
  std::string rate_limit = {};         // "10/s", "100/m", "1/h" or "5" (per second), per worker
  std::string global_rate_limit = {};  // the same, shared by all C++ workers
  std::optional<milliseconds> soft_time_limit = {};
  std::optional<milliseconds> time_limit = {};
  bool acks_late =
      false;  // the message is kept until the task has ended: it runs again when the worker dies
  bool ignore_result = false;
  bool store_errors_even_if_ignored = false;
  std::optional<bool> track_started = {};
  // Exceptions that lead to a retry: names as in results ("RuntimeError", "ConnectionError"); "*"
  // means all.
  std::vector<std::string> autoretry_for = {};
  std::optional<int> max_retries = 3;  // nullopt: unlimited
  milliseconds default_retry_delay{std::chrono::seconds{180}};
  double retry_backoff_s = 0;  // 0: the default delay; else this many seconds, doubled each time
  milliseconds retry_backoff_max{std::chrono::seconds{600}};
  bool retry_jitter = true;
  int dead_letter_after = 0;  // after so many failures the message moves to the dead letters;
                              // 0: never
};

// An exception with the names that Python will see: `exc_type`, `exc_message`, `exc_module`.
class task_error : public std::runtime_error {
 public:
  task_error(std::string type, const std::string& message, std::string module = "builtins")
      : std::runtime_error(message),
        type_(std::move(type)),
        module_(std::move(module)),
        arguments_{json(message)} {}
  task_error(std::string type, json_array arguments, std::string module);
  [[nodiscard]] const std::string& type() const noexcept { return type_; }
  [[nodiscard]] const std::string& module() const noexcept { return module_; }
  [[nodiscard]] const json_array& arguments() const noexcept { return arguments_; }

 private:
  std::string type_;
  std::string module_;
  json_array arguments_;
};

// Ends the task without a result; its state does not change.
struct ignore : std::runtime_error {
  ignore() : std::runtime_error("ignored") {}
};

// Refuses the message: with `again` it goes back to the end of its queue. Else it is dropped, or
// moves to the dead letters if it is acknowledged late.
struct reject : std::runtime_error {
  explicit reject(std::string why = {}, bool again = false)
      : std::runtime_error(why), requeue(again) {}
  bool requeue;
};

// Thrown by task_context::check() past the soft time limit.
struct soft_time_limit_exceeded : task_error {
  soft_time_limit_exceeded()
      : task_error("SoftTimeLimitExceeded", json_array{}, "billiard.exceptions") {}
};

// Thrown by task_context::check() when the task was revoked with terminate, or its worker is
// shutting down cold.
struct task_aborted : std::runtime_error {
  task_aborted() : std::runtime_error("the task was aborted") {}
};

// What get() throws for a task that did not succeed.
class task_failed : public task_error {
 public:
  task_failed(std::string type, json_array arguments, std::string module, std::string traceback,
              std::string state)
      : task_error(std::move(type), std::move(arguments), std::move(module)),
        traceback_(std::move(traceback)),
        state_(std::move(state)) {}
  [[nodiscard]] const std::string& traceback() const noexcept { return traceback_; }
  [[nodiscard]] const std::string& state() const noexcept { return state_; }  // FAILURE or REVOKED

 private:
  std::string traceback_;
  std::string state_;
};

// What get() throws when there is no result in time.
struct timed_out : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Redis could not be reached (after the retries that were asked for).
struct broker_unavailable : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct app_options {
  std::string result_url = {};  // default: the broker's
  std::string default_queue = "celery";
  std::vector<std::pair<std::string, std::string>> routes =
      {};  // glob of task names → queue; the first match counts
  milliseconds result_expires{std::chrono::hours{24}};  // 0: never
  bool track_started = false;
  bool send_sent_event = false;  // publish task-sent events
  bool result_extended = false;
  std::string global_key_prefix = {};  // Celery's broker option `global_keyprefix`
  std::string result_key_prefix = {};  // Celery's result option `global_keyprefix`
  milliseconds visibility_timeout{
      std::chrono::hours{1}};  // what the Python workers of this broker use
  milliseconds operation_timeout{std::chrono::seconds{5}};
};

}  // namespace skirmish::tasks
