// `skirmish bench interactions`: how many interactions per second one server acknowledges, how
// fast, and whether each was applied exactly once.
//
// Redis, the server (a process of its own) and the load run on this machine. The same run measures
// what Redis alone does with the plain writes of an attack.
#include "bench/bench.hpp"
#include "bench/bench_support.hpp"
#include "bench/bench_world.hpp"
#include "bench/interaction_load.hpp"
#include "bench/raw_ceiling.hpp"
#include "bench/settle_watch.hpp"
#include "cli/cli.hpp"
#include "core/descriptors.hpp"
#include "core/event.hpp"
#include "core/json_text.hpp"
#include "core/parse.hpp"
#include "core/task_group.hpp"

#include <boost/asio/post.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>

#include <functional>
#include <thread>

namespace skirmish::cli {
namespace {

using namespace std::chrono_literals;

constexpr auto settled_within = 15min;

struct interactions_plan {
  load_plan load;
  world_options world;
  std::chrono::milliseconds duration{10'000};
  std::chrono::milliseconds raw_duration{3'000};
  std::vector<fault> faults;
  std::chrono::milliseconds fault_interval{5'000};
  std::int64_t idle = 0;
  bool verify = false;
  bool as_json = false;
};

struct report {
  double raw_per_s = 0;
  load_result load;
  audit_result audit;
  double server_rss_mb = 0;
  double idle_socket_kb = 0;
  double redis_used_mb = 0;
  double settled_s = 0;  // from the first frame until nothing was pending
  bool is_settled = false;
  settle_lag lag;
  std::int64_t faults = 0;
};

class interactions_bench {
 public:
  interactions_bench(asio::io_context& io, const interactions_plan& plan)
      : io_(io), plan_(plan), world_(io, plan.world) {}

  awaitable<report> run() {
    report out;
    std::exception_ptr problem;
    try {
      co_await measure(out);
    } catch (...) {
      problem = std::current_exception();
    }
    co_await world_.stop();
    if (problem) std::rethrow_exception(problem);
    co_return out;
  }

 private:
  awaitable<void> measure(report& out) {
    co_await world_.start_redis();
    co_await world_.make_players(plan_.load.players);
    if (plan_.raw_duration.count() > 0) {
      say("raw ceiling: Redis alone");
      const auto raw = [&] {
        out.raw_per_s =
            measure_raw_ceiling(world_.redis_config().unix_socket, plan_.load, plan_.raw_duration);
      };
      co_await beside(raw, false);
      co_await world_.empty_redis();
      co_await world_.make_players(plan_.load.players);
    }
    co_await world_.start_server();
    std::vector<std::unique_ptr<chat_socket>> idle;
    const auto before = world_.server_memory_mb("VmRSS");
    for (std::int64_t i = 0; i < plan_.idle; ++i)
      idle.push_back(std::make_unique<chat_socket>(world_.server(), world_.api_key()));
    if (plan_.idle > 0)
      out.idle_socket_kb =
          (world_.server_memory_mb("VmRSS") - before) * 1024 / static_cast<double>(plan_.idle);
    say("load");
    settle_watch watch(io_, world_.redis());
    task_group sampling(io_);
    sampling.spawn("settle_watch", [&watch] { return watch.run(); });
    const auto work = [&] {
      interaction_load load(plan_.load, world_.server(), world_.api_key());
      out.load = load.run(plan_.duration);
    };
    out.faults = co_await beside(work, true);
    out.server_rss_mb = world_.server_memory_mb("VmHWM");
    watch.stop();
    co_await sampling.wait(1min);
    out.lag = watch.summary();
    say("settling");
    out.is_settled = co_await watch.wait_settled(settled_within);
    out.settled_s = static_cast<double>(now_ns() - out.load.started_ns) / 1e9;
    out.redis_used_mb = co_await world_.redis_used_mb();
    if (!plan_.verify) co_return;
    say("audit");
    out.audit = co_await world_.audit(out.load, plan_.load.trades > 0);
  }

  void say(const char* what) const {
    if (!plan_.as_json) fmt::print(stderr, "{}…\n", what);
  }

  // Runs something that blocks on a thread of its own. Faults happen meanwhile, on this one;
  // returns how many.
  awaitable<std::int64_t> beside(std::function<void()> work, bool with_faults) {
    bool finished = false;
    std::int64_t faults = 0;
    std::exception_ptr problem;
    std::exception_ptr fault_problem;  // the work is waited for all the same
    event wake(io_);
    std::thread worker([&] {
      try {
        work();
      } catch (...) {
        problem = std::current_exception();
      }
      asio::post(io_, [&] {
        finished = true;
        wake.set();
      });
    });
    const auto end = std::chrono::steady_clock::now() + plan_.duration;
    while (!finished) {
      const bool more = with_faults && !plan_.faults.empty() &&
                        std::chrono::steady_clock::now() + plan_.fault_interval < end;
      const auto pause = more ? plan_.fault_interval : std::chrono::milliseconds(1h);
      co_await wake.wait_for(pause);
      if (finished || !more) continue;
      const auto next = plan_.faults[static_cast<std::size_t>(faults++) % plan_.faults.size()];
      say(name_of(next));
      try {
        co_await world_.cause(next);
      } catch (...) {
        if (!fault_problem) fault_problem = std::current_exception();
      }
    }
    worker.join();
    if (fault_problem) std::rethrow_exception(fault_problem);
    if (problem) std::rethrow_exception(problem);
    co_return faults;
  }

  asio::io_context& io_;
  interactions_plan plan_;
  bench_world world_;
};

bool print(const interactions_plan& plan, const report& r) {
  const auto acked = static_cast<double>(r.load.acked) / r.load.seconds;
  const bool complete = r.load.unconfirmed == 0 && r.is_settled;
  const auto settled = static_cast<double>(r.load.confirmed) / r.settled_s;
  const auto settled_ratio = r.raw_per_s > 0 ? settled / r.raw_per_s : 0;
  const bool good = complete && (!plan.verify || r.audit.is_exact());
  const auto ratio = r.raw_per_s > 0 ? acked / r.raw_per_s : 0;
  if (plan.as_json) {
    boost::json::object out{{"acked_per_s", acked},
                            {"raw_per_s", r.raw_per_s},
                            {"ratio", ratio},
                            {"settled_per_s", settled},
                            {"settled_ratio", settled_ratio},
                            {"settle_lag_p50_s", r.lag.p50_s},
                            {"settle_lag_p99_s", r.lag.p99_s},
                            {"settle_lag_max_s", r.lag.max_s},
                            {"settle_lag_attacks_max_s", r.lag.attacks_max_s},
                            {"settle_lag_activity_max_s", r.lag.activity_max_s},
                            {"settled_after_load_s", r.settled_s - r.load.confirmed_s},
                            {"pending_max_mb", r.lag.pending_max_mb},
                            {"p50_ms", r.load.p50_ms},
                            {"p99_ms", r.load.p99_ms},
                            {"p999_ms", r.load.p999_ms},
                            {"lost", nullptr},
                            {"duplicated", nullptr},
                            {"server_rss_mb", r.server_rss_mb},
                            {"redis_used_mb", r.redis_used_mb},
                            {"aof", "everysec"},
                            {"acked", r.load.acked},
                            {"unconfirmed", r.load.unconfirmed},
                            {"refused_frames", r.load.refused},
                            {"reconnects", r.load.reconnects},
                            {"faults", r.faults}};
    if (plan.verify) {
      out["lost"] = r.audit.lost;
      out["duplicated"] = r.audit.duplicated;
      out["wrong_players"] = r.audit.wrong_players;
      out["wrong_records"] = r.audit.wrong_records;
    }
    if (plan.idle > 0) out["idle_socket_kb"] = r.idle_socket_kb;
    fmt::print("{}\n", json_text_of(out));
    return good;
  }
  fmt::print("{} connections, frames of {}, {} players, skew {}\n", plan.load.connections,
             plan.load.frame, plan.load.players, plan.load.skew);
  fmt::print("{:<28}{:>12.0f}\n", "acknowledged a second", acked);
  if (r.raw_per_s > 0) {
    fmt::print("{:<28}{:>12.0f}\n", "Redis alone, per second", r.raw_per_s);
    fmt::print("{:<28}{:>12.2f}\n", "ratio", ratio);
  }
  fmt::print("{:<28}{:>12.0f}\n", "settled a second", settled);
  if (r.raw_per_s > 0) fmt::print("{:<28}{:>12.2f}\n", "ratio", settled_ratio);
  fmt::print("{:<28}{:>12.2f}{:>10.2f}{:>10.2f}\n", "settle lag p50, p99, max, s", r.lag.p50_s,
             r.lag.p99_s, r.lag.max_s);
  fmt::print("{:<28}{:>12.2f}{:>10.2f}\n", "of attacks, activity: max", r.lag.attacks_max_s,
             r.lag.activity_max_s);
  fmt::print("{:<28}{:>12.2f}\n", "settled after the load, s", r.settled_s - r.load.confirmed_s);
  fmt::print("{:<28}{:>12.1f}\n", "pending at most, MB", r.lag.pending_max_mb);
  fmt::print("{:<28}{:>12.2f}{:>10.2f}{:>10.2f}\n", "p50, p99, p99.9 in ms", r.load.p50_ms,
             r.load.p99_ms, r.load.p999_ms);
  fmt::print("{:<28}{:>12}{:>10}\n", "refused frames, reconnects", r.load.refused,
             r.load.reconnects);
  fmt::print("{:<28}{:>12.1f}\n", "server memory, MB", r.server_rss_mb);
  if (plan.idle > 0) fmt::print("{:<28}{:>12.1f}\n", "idle WebSocket, KB", r.idle_socket_kb);
  fmt::print("{:<28}{:>12.1f}\n", "Redis memory, MB", r.redis_used_mb);
  if (r.load.unconfirmed > 0) fmt::print("{:<28}{:>12}\n", "not confirmed", r.load.unconfirmed);
  if (!r.is_settled) fmt::print("writes are still pending\n");
  if (plan.verify)
    fmt::print("{:<28}{:>12}\n{:<28}{:>12}\n{:<28}{:>12}\n{:<28}{:>12}\n", "lost", r.audit.lost,
               "duplicated", r.audit.duplicated, "players not as they should",
               r.audit.wrong_players, "attack records likewise", r.audit.wrong_records);
  return good;
}

constexpr const char* footer = R"(examples:
  skirmish bench interactions                             closed loop, frames of 20
  skirmish bench interactions --frame 1 --window 32       single-interaction frames
  skirmish bench interactions --rate 70000 --duration 60s open loop, for latency
  skirmish bench interactions --players 2000 --skew 0 --event-targets 20 --rate 175000   a group event
  skirmish bench interactions --verify --duration 10m --faults all)";

}  // namespace

void add_bench_interactions(CLI::App& bench, int& code) {
  struct bench_flags {
    interactions_plan plan;
    std::string duration = "10s";
    std::string raw = "3s";
    std::string fault_interval = "5s";
    std::vector<std::string> faults;
  };
  auto* command = bench.add_subcommand(
      "interactions", "Interactions a second through a server, their latency, and an audit");
  auto f = std::make_shared<bench_flags>();
  auto& load = f->plan.load;
  const auto number = [&](const char* flag, std::int64_t& to, std::int64_t low, std::int64_t high,
                          const char* what) {
    command->add_option(flag, to, what)->check(CLI::Range(low, high))->capture_default_str();
  };
  number("--connections", load.connections, 1, 10'000, "WebSockets that send");
  number("--players", load.players, 2, 1'000'000, "players");
  number("--frame", load.frame, 1, 1'000, "interactions per frame");
  number("--window", load.window, 1, 10'000, "closed loop: frames on their way per connection");
  number("--rate", load.rate, 0, 10'000'000,
         "open loop: interactions per second, sent on time whatever happened to those before");
  number("--moves", load.moves, 0, 100, "per cent of the interactions");
  number("--trades", load.trades, 0, 100, "per cent of the interactions");
  number("--event-targets", load.event_targets, 0, 1'000'000,
         "a group event: players whom most attacks hit, all alike");
  number("--event-share", load.event_share, 0, 100, "per cent of the attacks that hit those");
  number("--idle", f->plan.idle, 0, 100'000, "more WebSockets that stay idle");
  number("--server-threads", f->plan.world.server_threads, 1, 64, "threads of the server");
  command->add_option("--skew", load.skew, "Zipf exponent of who acts and who is hit; 0: all alike")
      ->check(CLI::Range(0.0, 3.0))
      ->capture_default_str();
  command->add_option("--duration", f->duration, "of the load")->capture_default_str();
  command->add_option("--raw", f->raw, "how long Redis alone is measured; 0 leaves that out")
      ->capture_default_str();
  command->add_option("--faults", f->faults, "all, or some of: " + fault_names())->delimiter(',');
  command->add_option("--fault-interval", f->fault_interval, "from one to the next")
      ->capture_default_str();
  command->add_flag("--verify", f->plan.verify, "audit Redis against what was acknowledged");
  command->add_flag("--json", f->plan.as_json, "print one JSON object");
  command->footer(footer);
  command->callback([f, &code] {
    const auto duration = parse_duration(f->duration);
    const auto raw = parse_duration(f->raw);
    const auto interval = parse_duration(f->fault_interval);
    if (!duration || duration->count() == 0 || !raw || !interval)
      throw usage_error{"durations are written like 10s"};
    f->plan.duration = *duration;
    f->plan.raw_duration = *raw;
    f->plan.fault_interval = *interval;
    if (f->faults == std::vector<std::string>{"all"}) {
      f->faults.clear();
      f->plan.faults = all_faults();
    }
    for (const auto& name : f->faults) {
      const auto kind = parse_fault(name);
      if (!kind) throw usage_error{"--faults: " + name + " is none of " + fault_names()};
      f->plan.faults.push_back(*kind);
    }
    if (f->plan.load.event_targets > f->plan.load.players)
      throw usage_error{"--event-targets: there are fewer --players"};
    f->plan.load.keeps_records = f->plan.verify;
    f->plan.world.through_relay = !f->plan.faults.empty();
    raise_descriptor_limit();
    const auto result = skirmish::run([&](asio::io_context& io) -> awaitable<report> {
      interactions_bench b(io, f->plan);
      co_return co_await b.run();
    });
    code = print(f->plan, result) ? done : failed;
  });
}

}  // namespace skirmish::cli
