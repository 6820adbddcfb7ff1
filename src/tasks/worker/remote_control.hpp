// Remote control: receives the commands of `celery control`, `celery inspect` and Flower, executes
// them and replies.
#pragma once

#include "redis/subscriber.hpp"
#include "tasks/protocol/control_message.hpp"
#include "tasks/worker/executor.hpp"
#include "tasks/worker/heartbeater.hpp"
#include "tasks/worker/inspection.hpp"
#include "tasks/worker/revocations.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace skirmish::tasks {

class remote_control {
 public:
  // The parts of the worker that commands act on.
  struct parts {
    executor& runs;
    revocations& revoked;
    heartbeater& beats;
    std::function<void()> expect_messages;  // a queue was added
    std::function<void()> shut_down;        // warm
  };

  remote_control(worker_context& context, held_jobs& held, parts of);

  awaitable<void> run();     // the connection, until stop(); give it to a task_group
  awaitable<void> listen();  // returns when commands are received
  void stop_listening();
  void stop();

  // Executes a command; what is to be replied.
  awaitable<json> answer(const received_request& r);

 private:
  void receive(std::string_view envelope);
  awaitable<void> reply(received_request to, json said);
  json execute(const received_request& r);
  json enable_events(bool on);
  json autoscale(const json_object& arguments);
  json change_pool(const std::string& method, const json_object& arguments);
  json change_queues(const std::string& method, const json_object& arguments);
  json change_time_limits(const json_object& arguments);
  json change_rate(const json_object& arguments);
  json greet(const json_object& arguments);
  json revoke(const json_object& arguments, bool is_terminate);
  json revoke_stamped(const json_object& arguments, bool is_terminate);
  void add_revoked(const std::vector<std::string>& ids);
  void terminate(const std::vector<std::string>& ids, int signal_number);

  worker_context& context_;
  held_jobs& held_;
  parts of_;
  inspection inspection_;
  redis::subscriber subscriber_;
  redis::subscription subscription_;
};

}  // namespace skirmish::tasks
