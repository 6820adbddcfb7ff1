// A worker with a few tasks. The interoperability tests run it beside Python's Celery.
//
//   REDIS=redis://127.0.0.1/0 tasks_worker -Q cpp -E
#include "skirmish/tasks.hpp"
#include "skirmish/tasks/coroutine.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cstdlib>
#include <fstream>
#include <thread>

using namespace skirmish::tasks;
using namespace std::chrono_literals;

namespace {

void pause(double seconds) { std::this_thread::sleep_for(std::chrono::duration<double>(seconds)); }

void register_tasks(app& app) {
  app.task("cpp.noop", [] {});
  app.task("cpp.echo", [](json value) { return value; }, {.parameters = {"value"}});
  app.task("cpp.add", [](std::int64_t a, std::int64_t b) { return a + b; },
           {.parameters = {"a", parameter{"b", json(10)}}});
  app.task("cpp.total", [](std::vector<std::int64_t> all) {
    std::int64_t sum = 0;
    for (const auto n : all) sum += n;
    return sum;
  });
  app.task("cpp.fail", [](std::string why) -> json { throw std::invalid_argument(why); });
  app.task("cpp.sleep", [](task_context& self, double seconds) {
    for (double left = seconds; left > 0; left -= 0.05) {
      self.check();
      pause(std::min(left, 0.05));
    }
    return json("slept");
  });
  app.task("cpp.block", [](double seconds) { pause(seconds); });
  app.task("cpp.wait", [](double seconds) -> boost::asio::awaitable<json> {
    boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor);
    timer.expires_after(std::chrono::duration_cast<std::chrono::nanoseconds>(
        std::chrono::duration<double>(seconds)));
    co_await timer.async_wait(boost::asio::use_awaitable);
    co_return json("waited");
  });
  app.task("cpp.progress", [](task_context& self) {
    self.update_state(json_object{{"done", 3}});
    pause(1.5);
    return json("done");
  });
  app.task("cpp.flaky", [](task_context& self, int failures) -> json {
    if (self.retries() < failures) self.retry(100ms);
    return self.retries();
  });
  app.task("cpp.autoretry",
           [](task_context& self) -> json {
             if (self.retries() < 2) throw std::runtime_error("not yet");
             return self.retries();
           },
           {.autoretry_for = {"RuntimeError"}, .default_retry_delay = 100ms});
  app.task("cpp.about", [](task_context& self) {
    return json_object{
        {"id", self.id()},           {"root", self.root_id()},      {"parent", self.parent_id()},
        {"headers", self.headers()}, {"hostname", self.hostname()}, {"queue", self.queue()}};
  });
  app.task("cpp.limited", [] {}, {.rate_limit = "10/s"});
  app.task("cpp.limited_together", [] {}, {.global_rate_limit = "20/s"});
  app.task("cpp.reject", [](bool) -> json { throw reject("not me"); });
  app.task("cpp.ignored", [] { return 1; }, {.ignore_result = true});
  // Appends a line to a file: the fault tests count the lines.
  const auto mark = [](task_context& self, std::string file, std::string text, double seconds) {
    {
      std::ofstream out(file, std::ios::app);
      out << text << ' ' << self.id() << '\n';
    }
    pause(seconds);
    std::ofstream out(file, std::ios::app);
    out << text << "-end " << self.id() << '\n';
    return json(text);
  };
  app.task("cpp.mark", mark);
  app.task("cpp.mark_late", mark, {.acks_late = true});
  app.task("cpp.die", [](task_context&) -> json { std::abort(); }, {.acks_late = true});
  app.task("cpp.poison", [] { throw std::runtime_error("always"); },
           {.autoretry_for = {"*"}, .default_retry_delay = 50ms, .dead_letter_after = 2});
  app.task("cpp.calls", [&app](std::int64_t a, std::int64_t b) {
    return app.remote("py.add").apply_async({a, b}, {.queue = "py"}).id();
  });
}

// What a C++ client asks of Python workers; the id of the result is the task's own result.
void register_clients(app& app) {
  const auto add = app.remote("py.add"), total = app.remote("py.total"),
             echo = app.remote("cpp.add");
  app.task("cpp.client", [=, &app](std::string what) -> json {
    if (what == "delay") return json(add.delay(2, 3).id());
    if (what == "kwargs") return json(add.apply_async({}, {}, {{"a", 2}, {"b", 4}}).id());
    if (what == "countdown") return json(add.apply_async({1, 1}, {.countdown = 1s}).id());
    if (what == "eta")
      return json(add.apply_async({1, 2}, {.eta = std::chrono::system_clock::now() + 1s}).id());
    if (what == "expires")
      return json(add.apply_async({1, 1}, {.countdown = 2s, .expires = 1s}).id());
    if (what == "priority") return json(add.apply_async({1, 3}, {.priority = 9}).id());
    if (what == "ignore") return json(add.apply_async({1, 1}, {.ignore_result = true}).id());
    if (what == "retry") return json(app.remote("py.flaky").delay().id());
    if (what == "limit")
      return json(app.remote("py.sleep").apply_async({30}, {.time_limit = 1s}).id());
    if (what == "chain") return json(app.send(chain({add.s(1, 2), echo.s(10), add.s(100)})).id());
    if (what == "chord")
      return json(app.send(chord({add.s(1, 1), echo.s(2, 2), add.s(3, 3)}, total.s())).id());
    if (what == "group") {
      json_array ids;
      const auto sent = app.send_group({add.s(1, 1), echo.s(2, 2)});
      for (const auto& member : sent.members()) ids.push_back(json(member.id()));
      return ids;
    }
    if (what == "callback")
      return json(add.apply_async({1, 1}, {.link = {add.s(40).task_id("linked")}}).id());
    if (what == "errback")
      return json(
          app.remote("py.fail")
              .apply_async({"why"}, {.link_error = {app.remote("py.note").s().task_id("noted")}})
              .id());
    if (what == "revoke_before") {
      const auto later = add.apply_async({1, 1}, {.countdown = 2s});
      later.revoke();
      return json(later.id());
    }
    if (what == "revoke_during") {
      const auto running = app.remote("py.sleep").delay(30);
      while (running.state() != "STARTED") pause(0.05);
      running.revoke(true);
      return json(running.id());
    }
    throw std::invalid_argument(what);
  });
}

}  // namespace

int main(int argc, char** argv) {
  const char* url = std::getenv("REDIS");
  app_options options;
  options.routes = {{"cpp.*", "cpp"}, {"py.*", "py"}};
  if (std::getenv("TRACK_STARTED")) options.track_started = true;
  if (const char* results = std::getenv("RESULTS")) options.result_url = results;
  if (const char* seconds = std::getenv("VISIBILITY"))
    options.visibility_timeout = std::chrono::seconds(std::atoi(seconds));
  app app(url ? url : "redis://127.0.0.1/0", options);
  register_tasks(app);
  register_clients(app);
  return app.worker_main(argc, argv);
}
