// `skirmish bench tasks`: how fast tasks are sent and drained, with a Redis server of its own, and
// the peers beside it.
#include "bench/bench_peers.hpp"
#include "bench/bench_support.hpp"
#include "bench/bench_tasks_table.hpp"
#include "cli/cli.hpp"
#include "cli/task_tools.hpp"
#include "core/json_text.hpp"
#include "core/log.hpp"
#include "redis/child_process.hpp"
#include "tasks/app_impl.hpp"
#include "tasks/client_loop.hpp"
#include "tasks/protocol/wall_time.hpp"
#include "tasks/worker/worker_main.hpp"

#include <boost/json/parse.hpp>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <iostream>
#include <thread>

namespace skirmish::cli {
namespace {

using namespace std::chrono_literals;
using tasks::json;
using tasks::json_array;
using tasks::json_object;
using steady = std::chrono::steady_clock;

struct flags {
  std::size_t tasks = 20'000;
  std::size_t concurrency = 100;
  std::size_t far_etas = 100'000;
  bool as_json = false;
  bool no_peers = false;
};

double seconds_since(steady::time_point t) {
  return std::chrono::duration<double>(steady::now() - t).count();
}

// A worker in a process of its own, forked from this one before it has threads.
class worker_process {
 public:
  worker_process(const std::string& url, std::size_t concurrency, bool events, int latency_pipe) {
    pid_ = ::fork();
    if (pid_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    int code = 1;
    {
      tasks::app app(url);
      app.task("bench.noop", [] {});
      app.task("bench.latency", [latency_pipe](double sent_s) {
        const double late_s = tasks::to_unix_s(tasks::wall_now()) - sent_s;
        return ::write(latency_pipe, &late_s, sizeof(late_s)) == sizeof(late_s);
      });
      tasks::worker_arguments given;
      given.queues = "bench";
      given.concurrency = concurrency;
      given.events = events;
      given.log_level = "error";
      asio::io_context io(1);
      code = tasks::run_worker(app, io, given);
    }
    ::_exit(code);
  }
  ~worker_process() {
    ::kill(pid_, SIGTERM);
    int status = 0;
    ::waitpid(pid_, &status, 0);
  }
  worker_process(const worker_process&) = delete;
  worker_process& operator=(const worker_process&) = delete;
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = 0;
};

// The measured program forks, so everything that has threads runs in a child and answers through a
// pipe.
template <class Work>
json in_child(Work work) {
  int ends[2];
  if (::pipe(ends) != 0) throw failure(errc::internal, "no pipe");
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::close(ends[0]);
    int code = 1;
    try {
      const auto text = json_text_of(json(work()));
      code =
          ::write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0 : 1;
    } catch (const std::exception& e) {
      std::cerr << "bench: " << e.what() << '\n';
    }
    ::_exit(code);
  }
  ::close(ends[1]);
  std::string out;
  char chunk[4096];
  for (ssize_t n = 0; (n = ::read(ends[0], chunk, sizeof(chunk))) > 0;)
    out.append(chunk, static_cast<std::size_t>(n));
  ::close(ends[0]);
  int status = 0;
  ::waitpid(pid, &status, 0);
  if (status != 0) throw failure(errc::internal, "a part of the benchmark failed");
  return boost::json::parse(out);
}

double enqueue_batch(const std::string& url, std::size_t count, bool ignore_result) {
  tasks::app app(url);
  app.internals().client();
  const auto noop = app.remote("bench.noop");
  noop.apply_async({}, {.queue = "elsewhere"});  // connects
  const std::vector<json_array> calls(count);
  const auto start = steady::now();
  noop.map(calls, {.queue = "bench", .ignore_result = ignore_result});
  return static_cast<double>(count) / seconds_since(start);
}

double enqueue_singly(const std::string& url, std::size_t count) {
  tasks::app app(url);
  const auto noop = app.remote("bench.noop");
  noop.apply_async({}, {.queue = "elsewhere"});
  const auto start = steady::now();
  for (std::size_t i = 0; i < count; ++i)
    noop.apply_async({}, {.queue = "singly", .ignore_result = true});
  return static_cast<double>(count) / seconds_since(start);
}

std::int64_t outstanding(tasks::client_loop& loop) {
  const auto ask = [&loop]() -> awaitable<std::int64_t> {
    co_await loop.broker().wait_connected(5s);
    redis::request both;
    both.push("LLEN", "bench");
    both.push("HLEN", "unacked");
    const auto replies = redis::checked(co_await loop.broker().exec(std::move(both)));
    co_return replies[0].as_integer().value_or(0) + replies[1].as_integer().value_or(0);
  };
  return loop.block(ask);
}

// Tasks a second from the first that left the queue to the last acknowledgement.
double drain(const std::string& url, const flags& f, bool ignore_result, bool events) {
  const auto run = [&] {
    enqueue_batch(url, f.tasks, ignore_result);
    return 0;
  };
  in_child(run);
  const worker_process worker(url, f.concurrency, events, -1);
  const auto watch = [&]() -> double {
    tasks::app app(url);
    auto& loop = app.internals().client();
    auto left = outstanding(loop);
    while (left == static_cast<std::int64_t>(f.tasks)) {
      std::this_thread::sleep_for(500us);
      left = outstanding(loop);
    }
    const auto start = steady::now();
    const auto counted = left;
    while (left > 0) {
      std::this_thread::sleep_for(1ms);
      left = outstanding(loop);
    }
    return static_cast<double>(counted) / seconds_since(start);
  };
  return in_child(watch).to_number<double>();
}

json_object latency(const std::string& url, const flags& f) {
  int ends[2];
  if (::pipe(ends) != 0) throw failure(errc::internal, "no pipe");
  constexpr std::size_t count = 3000;
  std::vector<double> late_s;
  {
    const worker_process worker(url, f.concurrency, false, ends[1]);
    ::close(ends[1]);
    const auto send = [&] {
      tasks::app app(url);
      const auto task = app.remote("bench.latency");
      auto next = steady::now() + 500ms;
      for (std::size_t i = 0; i < count; ++i, next += 1ms) {
        std::this_thread::sleep_until(next);
        task.apply_async({json(tasks::to_unix_s(tasks::wall_now()))},
                         {.queue = "bench", .ignore_result = true});
      }
      return 0;
    };
    in_child(send);
    double one = 0;
    while (late_s.size() < count && ::read(ends[0], &one, sizeof(one)) == sizeof(one))
      late_s.push_back(one);
  }
  ::close(ends[0]);
  if (late_s.empty()) throw failure(errc::internal, "no latency was measured");
  std::sort(late_s.begin(), late_s.end());
  const auto at = [&](double q) {
    return late_s[static_cast<std::size_t>(q * static_cast<double>(late_s.size() - 1))] * 1000;
  };
  return {{"rate_per_s", 1000},
          {"p50_ms", at(0.5)},
          {"p99_ms", at(0.99)},
          {"max_ms", late_s.back() * 1000}};
}

double cpu_s(pid_t pid) { return std::chrono::duration<double>(times_of(pid).worked).count(); }

double idle_percent(const std::string& url, const flags& f) {
  const worker_process worker(url, f.concurrency, false, -1);
  std::this_thread::sleep_for(2s);
  const auto before = cpu_s(worker.pid());
  std::this_thread::sleep_for(10s);
  return (cpu_s(worker.pid()) - before) * 10.0;
}

// What tasks that are due tomorrow cost Redis and the worker.
json_object far_etas(const std::string& url, const flags& f) {
  const auto ask = [&url](const char* command, const char* argument, std::string_view field) {
    tasks::app app(url);
    auto& loop = app.internals().client();
    const auto work = [&]() -> awaitable<std::string> {
      co_await loop.broker().wait_connected(5s);
      const auto reply = redis::checked(co_await loop.broker().command(command, argument));
      co_return reply.is_string() ? reply.as_string()
                                  : std::to_string(reply.as_integer().value_or(0));
    };
    auto text = loop.block(work);
    const auto at = field.empty() ? std::string::npos : text.find(field);
    return at == std::string::npos ? text : text.substr(at + field.size());
  };
  const auto number = [&](const char* command, const char* argument, std::string_view field = {}) {
    const auto read = [&] { return std::stod(ask(command, argument, field)); };
    return in_child(read).to_number<double>();
  };
  const auto before = number("INFO", "memory", "used_memory:");
  const worker_process worker(url, f.concurrency, false, -1);
  const auto send = [&] {
    tasks::app app(url);
    const std::vector<json_array> calls(f.far_etas);
    app.remote("bench.noop").map(calls, {.countdown = 24h, .queue = "bench"});
    return 0;
  };
  in_child(send);
  while (number("ZCARD", "skirmish:tasks:eta") < static_cast<double>(f.far_etas))
    std::this_thread::sleep_for(50ms);
  const auto bytes =
      (number("INFO", "memory", "used_memory:") - before) / static_cast<double>(f.far_etas);
  const auto cpu = cpu_s(worker.pid());
  std::this_thread::sleep_for(3s);
  return {{"tasks", f.far_etas},
          {"bytes_each", bytes},
          {"gb_a_million", bytes / 1000},
          {"worker_percent", (cpu_s(worker.pid()) - cpu) / 3.0 * 100.0}};
}

int bench(const flags& f) {
  log::set_level(log::level::error);
  const scratch_directory dir;
  const auto program = redis::find_program({"redis-server", "valkey-server"});
  if (program.empty())
    throw failure(errc::unavailable, "neither redis-server nor valkey-server is installed");
  const auto port = static_cast<std::uint16_t>(20'000 + ::getpid() % 40'000);
  redis::child_process server(
      {program,
       {"--port", std::to_string(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
        "--dir", dir.path(), "--loglevel", "warning"}});
  const auto url = fmt::format("redis://127.0.0.1:{}/0", port);
  json_object own;
  const auto batch = [&] { return enqueue_batch(url, f.tasks, true); };
  own["enqueue_batch"] = in_child(batch);
  const auto flush = [&] {
    tasks::app app(url);
    auto& loop = app.internals().client();
    const auto work = [&loop]() -> awaitable<void> {
      co_await loop.broker().wait_connected(5s);
      redis::checked(co_await loop.broker().command("FLUSHALL"));
    };
    loop.block(work);
    return 0;
  };
  in_child(flush);
  const auto singly = [&] { return enqueue_singly(url, std::min<std::size_t>(f.tasks, 20'000)); };
  own["enqueue_one_by_one"] = in_child(singly);
  own["drain_ignored"] = drain(url, f, true, false);
  own["drain_results"] = drain(url, f, false, false);
  in_child(flush);
  own["drain_events"] = drain(url, f, true, true);
  own["latency"] = latency(url, f);
  own["idle_percent"] = idle_percent(url, f);
  in_child(flush);
  own["far_etas"] = far_etas(url, f);
  in_child(flush);
  json_object all{{"tasks", f.tasks}, {"skirmish", std::move(own)}};
  if (!f.no_peers) {
    in_child(flush);
    if (auto celery = bench_celery(dir.path(), port, std::min<std::size_t>(f.tasks, 8'000)))
      all["celery"] = std::move(*celery);
    in_child(flush);
    if (auto bullmq = bench_bullmq(dir.path(), port, f.tasks)) all["bullmq"] = std::move(*bullmq);
  }
  if (f.as_json)
    std::cout << json_text_of(all) << '\n';
  else
    print_tasks_table(all);
  return done;
}

}  // namespace

void add_bench_tasks(CLI::App& to, int& code) {
  auto* c = to.add_subcommand(
      "tasks", "Sending and draining tasks, beside Celery and BullMQ when they are installed");
  auto f = std::make_shared<flags>();
  c->add_option("--tasks", f->tasks, "how many no-op tasks")->check(CLI::Range(1000, 10'000'000));
  c->add_option("--concurrency", f->concurrency, "of the worker");
  c->add_option("--far-etas", f->far_etas, "how many tasks with eta tomorrow")
      ->check(CLI::Range(1000, 10'000'000));
  c->add_flag("--json", f->as_json, "print one JSON object");
  c->add_flag("--no-peers", f->no_peers, "measure Skirmish alone");
  c->callback([f, &code] { code = bench(*f); });
}

}  // namespace skirmish::cli
