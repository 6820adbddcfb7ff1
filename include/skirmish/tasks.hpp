// Skirmish tasks: a task queue on Redis that speaks Celery's wire, for C++.
//
//   skirmish::tasks::app app{"redis://127.0.0.1/0"};
//   auto add = app.task("add", [](int a, int b) { return a + b; });
//   add.delay(2, 3).get(5s);               // a worker, in C++ or Python, must run
//   return app.worker_main(argc, argv);    // this program as a worker
//
// Python clients call these tasks by their names, and C++ clients call Python's. An app may be used
// from any thread; register all tasks before the first worker starts. The library runs its own I/O
// thread, started on first use. Failures: broker_unavailable when Redis cannot be reached; the
// other exceptions are in types.hpp.
#pragma once

#include "skirmish/tasks/call.hpp"
#include "skirmish/tasks/signature.hpp"
#include "skirmish/tasks/types.hpp"

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace skirmish::tasks {

class app;

// The outcome of a task, wherever it runs.
class async_result {
 public:
  async_result(app& owner, std::string id) : app_(&owner), id_(std::move(id)) {}
  [[nodiscard]] const std::string& id() const noexcept { return id_; }

  // Waits for the result. Throws task_failed when the task failed or was revoked, timed_out.
  json get(milliseconds timeout = std::chrono::hours{1}) const;
  // "PENDING", "STARTED", "RETRY", "SUCCESS", "FAILURE", "REVOKED" or a state of the task's own.
  [[nodiscard]] std::string state() const;
  [[nodiscard]] bool ready() const;
  // The stored document, for example for the meta data of a custom state; null when there is none.
  [[nodiscard]] json document() const;
  void revoke(bool terminate = false) const;
  void forget() const;  // removes the stored result

 private:
  app* app_;
  std::string id_;
};

// The outcomes of a group, in order.
class group_result {
 public:
  group_result(std::string id, std::vector<async_result> members)
      : id_(std::move(id)), members_(std::move(members)) {}
  [[nodiscard]] const std::string& id() const noexcept { return id_; }
  [[nodiscard]] const std::vector<async_result>& members() const noexcept { return members_; }
  std::vector<json> get(milliseconds timeout = std::chrono::hours{1}) const;

 private:
  std::string id_;
  std::vector<async_result> members_;
};

// A task by its name: what callers use.
class task_handle {
 public:
  task_handle(app& owner, std::string name) : app_(&owner), name_(std::move(name)) {}
  [[nodiscard]] const std::string& name() const noexcept { return name_; }

  template <class... Args>
  async_result delay(Args&&... args) const {
    return apply_async(pack(std::forward<Args>(args)...));
  }
  async_result apply_async(json_array args, const send_options& options = {},
                           json_object kwargs = {}) const;
  // Sends many calls with the same options, thousands per round trip. Returns the ids.
  std::vector<std::string> map(std::span<const json_array> calls,
                               const send_options& options = {}) const;

  template <class... Args>
  [[nodiscard]] signature s(Args&&... args) const {
    return signature(name_, pack(std::forward<Args>(args)...));
  }

 private:
  template <class... Args>
  static json_array pack(Args&&... args) {
    json_array out;
    out.reserve(sizeof...(Args));
    (out.push_back(detail::to_json(std::forward<Args>(args))), ...);
    return out;
  }

  app* app_;
  std::string name_;
};

class app {
 public:
  // URLs as in REDIS_URL: redis://, rediss://, unix://, redis-sentinel://. Throws
  // std::invalid_argument for a bad one.
  explicit app(std::string url, app_options options = {});
  ~app();
  app(const app&) = delete;
  app& operator=(const app&) = delete;

  // Registers a function, or with coroutine.hpp a coroutine. An optional first parameter
  // `task_context& self` is the bound request. Returns what callers use.
  template <class F>
  task_handle task(std::string name, F f, task_options options = {}) {
    return add(detail::define(std::move(name), std::move(f), std::move(options)));
  }
  task_handle add(task_definition definition);

  // A task that another program registers.
  [[nodiscard]] task_handle remote(std::string name) { return {*this, std::move(name)}; }

  async_result send(std::string_view name, json_array args = {}, json_object kwargs = {},
                    const send_options& options = {});
  // A signature, chain or chord; the result is that of the last step. Throws std::invalid_argument
  // for what cannot be sent.
  async_result send(const signature& work);
  // A group, or a chain whose last step is one; the results are those of its members. Anything else
  // is a group of one.
  group_result send_group(const signature& work);
  group_result send_group(const std::vector<signature>& members);
  [[nodiscard]] async_result result(std::string id) { return {*this, std::move(id)}; }

  // Runs a worker on this thread until SIGINT or SIGTERM; see `--help` for the options. Returns the
  // exit code.
  int worker_main(int argc, const char* const* argv);

  // For the rest of this library.
  struct impl;
  [[nodiscard]] impl& internals() const noexcept { return *impl_; }

 private:
  std::unique_ptr<impl> impl_;
};

}  // namespace skirmish::tasks
