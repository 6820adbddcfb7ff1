// The implementation of tasks::app: registered tasks, connection settings, and the client's I/O
// thread.
#pragma once

#include "redis/client.hpp"
#include "redis/subscriber.hpp"
#include "skirmish/tasks.hpp"
#include "tasks/canvas/canvas.hpp"
#include "tasks/protocol/event.hpp"
#include "tasks/tasks_keys.hpp"

#include <sys/types.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

namespace skirmish::tasks {

class client_loop;

struct app::impl {
  impl(std::string url, app_options given);
  ~impl();

  app_options options;
  std::string url;
  redis::connection_config broker;
  redis::connection_config results;
  bool same_redis = true;  // results are kept in the broker's Redis
  key_names keys;
  std::map<std::string, std::shared_ptr<const task_definition>, std::less<>> tasks;

  [[nodiscard]] std::string route(std::string_view task) const;
  [[nodiscard]] route_function router() const {
    return [this](std::string_view task) { return route(task); };
  }
  [[nodiscard]] sending sending_now(const task_context* parent) const;

  // Merges the task's options and the given ones into a message. Empty queue: routed.
  [[nodiscard]] outgoing prepare(std::string_view name, json_array args, json_object kwargs,
                                 const send_options& given) const;

  // Starts the I/O thread on first use, also after fork().
  client_loop& client();

  // Publishes in one round trip. While Redis is away it retries as `policy` says; without a policy
  // it does not. Throws broker_unavailable.
  void publish(plan&& what, const std::optional<publish_retry>& policy);
  // The task-sent events of these messages; empty when they are disabled.
  std::vector<std::string> sent_events(const std::vector<outgoing>& messages);
  // The same from raw fields (sent_fields()), for messages that a worker sends.
  std::vector<std::string> sent_events(const std::vector<std::string>& fields);

 private:
  std::mutex events_mutex_;
  event_writer events_{origin()};
  std::mutex start_mutex_;
  std::unique_ptr<client_loop> client_;
  pid_t client_pid_ = 0;
};

// A message and the list that it goes to.
struct addressed {
  std::string list;
  std::string envelope;
};
addressed address(const key_names& keys, const outgoing& m);

// The keys and values that must be stored before the members of a chord are sent.
std::vector<std::pair<std::string, std::string>> chord_keys(const key_names& keys,
                                                            const new_chord& chord);

// Marks the task that runs on this thread: messages sent from inside it get it as their parent.
class running_scope {
 public:
  using child_handler = std::function<void(const json& result_tuple)>;
  running_scope(task_context& context, child_handler on_child);
  ~running_scope();
  running_scope(const running_scope&) = delete;
  running_scope& operator=(const running_scope&) = delete;

  static task_context* current() noexcept;
  static void add_child(const json& result_tuple);
};

}  // namespace skirmish::tasks
