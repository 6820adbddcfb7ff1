// `skirmish bench console`: what open consoles cost a server that is busy with interactions.
//
// The same load runs without and with consoles, in turn; the server's time on a core is the
// kernel's. Redis, the server, the load and the consoles run on this machine.
#include "bench/bench.hpp"
#include "bench/bench_support.hpp"
#include "bench/bench_world.hpp"
#include "bench/console_readers.hpp"
#include "bench/interaction_load.hpp"
#include "cli/cli.hpp"
#include "core/descriptors.hpp"
#include "core/json_text.hpp"
#include "core/parse.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <thread>

namespace skirmish::cli {
namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

struct console_plan {
  load_plan load;
  std::int64_t consoles = 50;
  std::int64_t rounds = 3;
  std::chrono::milliseconds duration{20'000};  // of each part
  bool as_json = false;
};

struct part {
  double cores = 0;  // of the server
  double acked_per_s = 0;
  double p99_ms = 0;
  std::uint64_t messages = 0;
  std::uint64_t requests = 0;
  std::uint64_t failures = 0;

  [[nodiscard]] boost::json::object to_json() const {
    return {{"server_cores", cores}, {"acked_per_s", acked_per_s}, {"p99_ms", p99_ms},
            {"messages", messages},  {"requests", requests},       {"failures", failures}};
  }
};

struct report {
  std::vector<part> without;
  std::vector<part> with;
};

double median_cores(std::vector<part> parts) {
  std::ranges::sort(parts, {}, &part::cores);
  return parts[parts.size() / 2].cores;
}

// Blocks. Without interactions it is the idle server that is measured.
part measure(const console_plan& plan, const bench_world& world, std::int64_t consoles) {
  std::optional<console_readers> readers;
  if (consoles > 0) readers.emplace(world.server(), world.api_key(), consoles);
  const auto before = readers ? readers->so_far() : console_readers::totals{};
  const auto worked = times_of(world.server_pid()).worked;
  const auto start = steady::now();
  part out;
  if (plan.load.rate > 0) {
    interaction_load load(plan.load, world.server(), world.api_key());
    const auto result = load.run(plan.duration);
    out.acked_per_s = static_cast<double>(result.acked) / result.seconds;
    out.p99_ms = result.p99_ms;
  } else {
    std::this_thread::sleep_for(plan.duration);
  }
  const std::chrono::duration<double> took = steady::now() - start;
  const std::chrono::duration<double> used = times_of(world.server_pid()).worked - worked;
  out.cores = used / took;
  if (!readers) return out;
  const auto after = readers->so_far();
  out.messages = after.messages - before.messages;
  out.requests = after.requests - before.requests;
  out.failures = after.failures;
  return out;
}

awaitable<report> run_bench(asio::io_context& io, console_plan plan) {
  bench_world world(io, {});
  report out;
  std::exception_ptr problem;
  try {
    co_await world.start_redis();
    co_await world.make_players(plan.load.players);
    co_await world.start_server();
    for (std::int64_t round = 0; round < plan.rounds; ++round) {
      if (!plan.as_json) fmt::print(stderr, "round {} of {}…\n", round + 1, plan.rounds);
      out.without.push_back(measure(plan, world, 0));
      out.with.push_back(measure(plan, world, plan.consoles));
    }
  } catch (...) {
    problem = std::current_exception();
  }
  co_await world.stop();
  if (problem) std::rethrow_exception(problem);
  co_return out;
}

void print(const console_plan& plan, const report& r) {
  const auto without = median_cores(r.without);
  const auto with = median_cores(r.with);
  if (plan.as_json) {
    boost::json::array off;
    boost::json::array on;
    for (const auto& p : r.without) off.push_back(p.to_json());
    for (const auto& p : r.with) on.push_back(p.to_json());
    boost::json::object out{{"consoles", plan.consoles},
                            {"rate", plan.load.rate},
                            {"server_cores_without", without},
                            {"server_cores_with", with},
                            {"consoles_cores", with - without}};
    out["without"] = std::move(off);
    out["with"] = std::move(on);
    fmt::print("{}\n", json_text_of(out));
    return;
  }
  fmt::print("{} consoles, {} interactions/s wanted, parts of {} s\n", plan.consoles,
             plan.load.rate, plan.duration.count() / 1'000);
  fmt::print("{:<10}{:>12}{:>14}{:>10}{:>12}{:>12}{:>10}\n", "consoles", "server", "acknowledged",
             "p99", "pushes", "requests", "failures");
  const auto line = [&](std::int64_t consoles, const part& p) {
    fmt::print("{:<10}{:>10.1f} %{:>12.0f}/s{:>7.1f} ms{:>12}{:>12}{:>10}\n", consoles,
               p.cores * 100, p.acked_per_s, p.p99_ms, p.messages, p.requests, p.failures);
  };
  for (std::size_t i = 0; i < r.with.size(); ++i) {
    line(0, r.without[i]);
    line(plan.consoles, r.with[i]);
  }
  fmt::print("medians: {:.1f} % of a core without, {:.1f} % with; the consoles cost {:.1f} %\n",
             without * 100, with * 100, (with - without) * 100);
}

}  // namespace

void add_bench_console(CLI::App& bench, int& code) {
  struct bench_flags {
    console_plan plan;
    std::string duration = "20s";
  };
  auto* command =
      bench.add_subcommand("console", "What open consoles cost a server that is under load");
  auto f = std::make_shared<bench_flags>();
  f->plan.load.rate = 50'000;
  command->add_option("--consoles", f->plan.consoles, "open pages")
      ->check(CLI::Range(1, 1'000))
      ->capture_default_str();
  command->add_option("--rate", f->plan.load.rate, "interactions a second; 0: the server is idle")
      ->check(CLI::Range(0, 1'000'000))
      ->capture_default_str();
  command->add_option("--connections", f->plan.load.connections, "WebSockets that send them")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  command->add_option("--rounds", f->plan.rounds, "each without and with consoles")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  command->add_option("--duration", f->duration, "of each part")->capture_default_str();
  command->add_flag("--json", f->plan.as_json, "print one JSON object");
  command->callback([f, &code] {
    const auto duration = parse_duration(f->duration);
    if (!duration || duration->count() == 0) throw usage_error{"durations are written like 20s"};
    f->plan.duration = *duration;
    raise_descriptor_limit();
    const auto result = skirmish::run([&](asio::io_context& io) { return run_bench(io, f->plan); });
    print(f->plan, result);
    code = done;
  });
}

}  // namespace skirmish::cli
