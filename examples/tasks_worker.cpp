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
#include <optional>
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
  app.task("cpp.slow_add", [](std::int64_t a, std::int64_t b) {
    pause(0.7);
    return a + b;
  });
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
  app.task("cpp.variable", [](std::string name) {
    const char* value = std::getenv(name.c_str());
    return value == nullptr ? json(nullptr) : json(value);
  });
  app.task("cpp.poison", [] { throw std::runtime_error("always"); },
           {.autoretry_for = {"*"}, .default_retry_delay = 50ms, .dead_letter_after = 2});
  app.task("cpp.calls", [&app](std::int64_t a, std::int64_t b) {
    return app.remote("py.add").apply_async({a, b}, {.queue = "py"}).id();
  });
}

// What a C++ client asks of Python workers; the id of the result is the task's own result.
void register_clients(app& app) {
  const auto add = app.remote("py.add");
  app.task("cpp.client", [=, &app](std::string what) -> json {
    if (what == "delay") return json(add.delay(2, 3).id());
    if (what == "kwargs") return json(add.apply_async({}, {}, {{"a", 2}, {"b", 4}}).id());
    if (what == "countdown") return json(add.apply_async({1, 1}, {.countdown = 1s}).id());
    if (what == "eta")
      return json(add.apply_async({1, 2}, {.eta = std::chrono::system_clock::now() + 1s}).id());
    if (what == "expires")
      return json(add.apply_async({1, 1}, {.countdown = 2s, .expires = 1s}).id());
    if (what == "priority") return json(add.apply_async({1, 3}, {.priority = 9}).id());
    if (what == "headers")
      return json(app.remote("py.about")
                      .apply_async({}, {.shadow = "shown", .headers = {{"tenant", "blue"}}})
                      .id());
    if (what == "ignore") return json(add.apply_async({1, 1}, {.ignore_result = true}).id());
    if (what == "retry") return json(app.remote("py.flaky").delay().id());
    if (what == "limit")
      return json(app.remote("py.sleep").apply_async({30}, {.time_limit = 1s}).id());
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

// One message of each priority, the last to be served first.
void register_marks(app& app) {
  const auto mark = app.remote("py.mark");
  app.task("cpp.marks", [=](std::string file) {
    for (const int priority : {9, 6, 3, 0})
      mark.apply_async({file, "p" + std::to_string(priority)}, {.priority = priority});
  });
}

// Chains and chords whose members are Python's and C++'s; the id of the result is the task's own
// result.
void register_canvases(app& app) {
  const auto py = app.remote("py.add"), cpp = app.remote("cpp.add"),
             py_slow = app.remote("py.slow_add"), cpp_slow = app.remote("cpp.slow_add"),
             py_total = app.remote("py.total"), cpp_total = app.remote("cpp.total"),
             echo = app.remote("cpp.echo"), fail = app.remote("cpp.fail");
  const auto chains = [=](const std::string& what) -> std::optional<signature> {
    if (what == "python first") return chain({py.s(1, 2), cpp.s(10), py.s(100)});
    if (what == "cpp first") return chain({cpp.s(1, 2), py.s(10), cpp.s(100)});
    if (what == "cpp fails") return chain({py.s(1, 2), cpp.s(1, 1), py.s(1)});  // one too many
    if (what == "a group within")
      return chain({py.s(1, 1), group({cpp.s(1), py.s(2)}), py_total.s(), cpp.s(100)});
    return std::nullopt;
  };
  const auto chords = [=](const std::string& what) -> std::optional<signature> {
    if (what == "python last, cpp body")
      return chord({cpp.s(1, 1), py_slow.s(2, 2), cpp.s(3, 3)}, cpp_total.s());
    if (what == "python last, python body")
      return chord({cpp.s(1, 1), py_slow.s(2, 2), py.s(3, 3)}, py_total.s());
    if (what == "cpp last, cpp body")
      return chord({py.s(1, 1), cpp_slow.s(2, 2), py.s(3, 3)}, cpp_total.s());
    if (what == "cpp last, python body")
      return chord({py.s(1, 1), cpp_slow.s(2, 2), cpp.s(3, 3)}, py_total.s());
    if (what == "chains as members")
      return chord({chain({py.s(1, 1), cpp.s(2)}), chain({cpp.s(1, 1), py.s(6)})}, py_total.s());
    if (what == "a chord as a member")
      return chord({chord({py.s(1, 1), cpp.s(2, 2)}, py_total.s()), cpp.s(3, 3)}, cpp_total.s());
    if (what == "a chain that ends in a group")
      return chord({chain({cpp.s(1, 1), group({py.s(1), cpp.s(2)})}), cpp_slow.s(3, 3)}, echo.s());
    if (what == "an early step fails")
      return chord({chain({fail.s("no"), py.s(1)}), py.s(3, 3)}, py_total.s());
    if (what == "a chord as a member fails")
      return chord({chord({fail.s("no"), cpp.s(1, 1)}, py_total.s()), py.s(3, 3)}, cpp_total.s());
    if (what == "python fails")
      return chord({cpp.s(1, 1), signature("py.fail", {"no"}), py.s(3, 3)}, cpp_total.s());
    if (what == "cpp member fails")
      return chord({py.s(1, 1), signature("cpp.fail", {"no"}), py_slow.s(3, 3)}, py_total.s());
    return std::nullopt;
  };
  app.task("cpp.canvas", [=, &app](std::string what) {
    const auto work = chains(what);
    return app.send(work ? *work : chords(what).value()).id();
  });
  // Groups: the ids of the members' results.
  app.task("cpp.group", [=, &app](std::string what) {
    const auto sent = what == "plain"
                          ? app.send_group({py.s(1, 1), cpp.s(2, 2), chain({py.s(1, 2), cpp.s(3)})})
                          : app.send_group(chain({cpp.s(1, 1), group({py.s(2), cpp.s(4)})}));
    json_array ids;
    for (const auto& member : sent.members()) ids.push_back(json(member.id()));
    return ids;
  });
  app.task("cpp.group_get", [=, &app] {
    return app.send_group({py_slow.s(1, 1), cpp.s(2, 2), py.s(3, 3)}).get(30s);
  });
}

}  // namespace

int main(int argc, char** argv) {
  const char* url = std::getenv("REDIS");
  app_options options;
  options.routes = {{"cpp.*", "cpp"}, {"py.*", "py"}};
  if (std::getenv("TRACK_STARTED")) options.track_started = true;
  if (std::getenv("SENT_EVENTS")) options.send_sent_event = true;
  if (const char* results = std::getenv("RESULTS")) options.result_url = results;
  if (const char* seconds = std::getenv("VISIBILITY"))
    options.visibility_timeout = std::chrono::seconds(std::atoi(seconds));
  app app(url ? url : "redis://127.0.0.1/0", options);
  register_tasks(app);
  register_clients(app);
  register_marks(app);
  register_canvases(app);
  return app.worker_main(argc, argv);
}
