// The example of docs/tasks.md, as a program of somebody else has it.
#include <skirmish/tasks.hpp>

#include <iostream>

using namespace skirmish::tasks;
using namespace std::chrono_literals;

int main(int argc, char** argv) {
  skirmish::tasks::app app{"redis://127.0.0.1/0"};
  auto send_notification = app.task("send_notification",
                                    [](task_context& self, int user_id, std::string text) -> json {
                                      self.update_state({{"user", user_id}});
                                      return json_object{{"delivered", text.size()}};
                                    },
                                    {.parameters = {"user_id", "text"}});
  if (argc > 1) return app.worker_main(argc, argv);
  const auto when = std::chrono::system_clock::now() + 1h;
  try {
    send_notification.delay(7, "hello");
    send_notification.apply_async({7, "hello"}, {.eta = when,
                                                 .expires = 2h,
                                                 .queue = "mail",
                                                 .priority = 3,
                                                 .retry = true,
                                                 .retry_policy = {.max_retries = 3,
                                                                  .interval_start = 0s,
                                                                  .interval_step = 200ms,
                                                                  .interval_max = 500ms}});
    auto flow = chain({send_notification.s(7, "first"), signature("log").immutable()});
    app.send(flow);
  } catch (const broker_unavailable& e) {
    std::cerr << e.what() << '\n';
    return 1;
  }
}
