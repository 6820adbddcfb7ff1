// `skirmish bench rate-limit`: decisions from memory, decisions of Redis, and beside those what
// scripts that do nothing reach on the same connection.
#include "bench/bench.hpp"
#include "bench/bench_support.hpp"
#include "cli/cli.hpp"
#include "core/json_text.hpp"
#include "metrics/registry.hpp"
#include "skirmish/rate_limit.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>

#include <chrono>
#include <random>

namespace skirmish::cli {
namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

constexpr std::int64_t scripts_per_pipeline = 128;
constexpr std::int64_t pipelines = 4;

struct rate_limit_options {
  std::string redis_url;
  std::int64_t subjects = 10'000;
  std::int64_t callers = 1'000;
  std::int64_t rounds = 3;
  std::int64_t seconds = 3;
  bool as_json = false;
};

struct rates {
  double from_memory = 0;
  double refused = 0;  // from memory, too
  double from_redis = 0;
  double raw = 0;
};

std::vector<std::string> names_of(std::int64_t count) {
  std::vector<std::string> out;
  for (std::int64_t i = 0; i < count; ++i) out.push_back(fmt::format("player{:06}", i));
  return out;
}

double per_second(std::int64_t count, steady::time_point since) {
  const std::chrono::duration<double> took = steady::now() - since;
  return static_cast<double>(count) / took.count();
}

class rate_limit_bench {
 public:
  rate_limit_bench(asio::io_context& io, redis::client& redis, task_group& tasks,
                   const rate_limit_options& chosen)
      : io_(io),
        redis_(redis),
        tasks_(tasks),
        chosen_(chosen),
        subjects_(names_of(chosen.subjects)),
        limiter_(redis, {.metrics = &metrics_}) {}

  awaitable<rates> measure() {
    rates out;
    out.from_memory = co_await decide_in_memory(leased_, true);
    out.refused = co_await decide_in_memory(used_up_, false);
    // In turns, so that whatever else the machine does meets both.
    for (std::int64_t i = 0; i < chosen_.rounds; ++i) {
      out.raw += co_await run_scripts();
      out.from_redis += co_await ask_redis();
    }
    out.raw /= static_cast<double>(chosen_.rounds);
    out.from_redis /= static_cast<double>(chosen_.rounds);
    co_return out;
  }

 private:
  // Decisions per second for which nothing has to be asked; all are to come out as `wanted`.
  awaitable<double> decide_in_memory(rate_policy policy, bool wanted) {
    for (const auto& subject : subjects_) {
      co_await limiter_.take(policy, subject);
      if (!wanted) co_await limiter_.take(policy, subject);
    }
    std::int64_t count = 0;
    std::int64_t others = 0;
    const auto begin = steady::now();
    const auto end = begin + std::chrono::seconds(chosen_.seconds);
    while (steady::now() < end) {
      for (const auto& subject : subjects_) {
        const auto decided = limiter_.try_take(policy, subject);
        others += decided && decided->allowed == wanted ? 0 : 1;
        ++count;
      }
      co_await asio::post(io_, use_awaitable);  // the connection lives on
    }
    if (others > 0) throw failure(errc::internal, "a decision was not as it had to be");
    co_return per_second(count, begin);
  }

  // Callers at once, each waiting for its decision before it asks again.
  awaitable<double> ask_redis() {
    std::int64_t count = 0;
    auto loop = [this, &count](std::int64_t caller, steady::time_point end) -> awaitable<void> {
      std::minstd_rand dice(static_cast<unsigned>(caller + 1));
      while (steady::now() < end) {
        auto subject = subjects_[dice() % subjects_.size()];
        const auto decided = co_await limiter_.take(exact_, std::move(subject));
        if (!decided.allowed) throw failure(errc::internal, "a decision was not as it had to be");
        ++count;
      }
    };
    co_return co_await run(chosen_.callers, loop, count);
  }

  // Scripts that do nothing, each of one key, sent as pipelines.
  awaitable<double> run_scripts() {
    const auto loaded = redis::checked(co_await redis_.command("SCRIPT", "LOAD", "return 1"));
    std::int64_t count = 0;
    auto loop = [this, &count, &loaded](std::int64_t caller,
                                        steady::time_point end) -> awaitable<void> {
      std::minstd_rand dice(static_cast<unsigned>(caller + 1));
      while (steady::now() < end) {
        redis::request r;
        for (std::int64_t i = 0; i < scripts_per_pipeline; ++i)
          r.push("EVALSHA", loaded.as_string(), 1, subjects_[dice() % subjects_.size()]);
        redis::checked(co_await redis_.exec(std::move(r)));
        count += scripts_per_pipeline;
      }
    };
    co_return co_await run(pipelines, loop, count);
  }

  template <class Loop>
  awaitable<double> run(std::int64_t callers, const Loop& loop, const std::int64_t& count) {
    std::int64_t running = callers;
    const auto begin = steady::now();
    const auto end = begin + std::chrono::seconds(chosen_.seconds);
    for (std::int64_t i = 0; i < callers; ++i) {
      auto work = [&loop, &running, i, end]() -> awaitable<void> {
        co_await loop(i, end);
        --running;
      };
      tasks_.spawn("caller", work);
    }
    asio::steady_timer timer(io_);
    while (running > 0) {
      if (steady::now() > end + 30s) throw failure(errc::deadline_exceeded, "a caller failed");
      timer.expires_after(10ms);
      co_await timer.async_wait(use_awaitable);
    }
    co_return per_second(count, begin);
  }

  asio::io_context& io_;
  redis::client& redis_;
  task_group& tasks_;
  const rate_limit_options& chosen_;
  const std::vector<std::string> subjects_;
  metrics::registry metrics_;
  rate_limiter limiter_;
  const rate_policy leased_{.name = "leased",
                            .rate_per_s = 1'000'000,
                            .burst = 1'000'000'000,
                            .lease_tokens = 900'000'000,
                            .lease_ttl = 1h};
  const rate_policy used_up_{.name = "used-up", .rate_per_s = 1e-4, .burst = 1};
  const rate_policy exact_{.name = "exact", .rate_per_s = 1'000'000, .burst = 1'000'000};
};

void print(const rates& r, const rate_limit_options& chosen) {
  const auto ratio = r.from_redis / r.raw;
  if (chosen.as_json) {
    const boost::json::object out{{"memory_decisions_per_s", r.from_memory},
                                  {"memory_refusals_per_s", r.refused},
                                  {"redis_decisions_per_s", r.from_redis},
                                  {"empty_scripts_per_s", r.raw},
                                  {"ratio", ratio}};
    fmt::print("{}\n", json_text_of(out));
    return;
  }
  fmt::print(
      "{} subjects, {} callers, one thread\n"
      "allowed from memory  {:>12.0f} decisions/s\n"
      "refused from memory  {:>12.0f} decisions/s\n"
      "through Redis        {:>12.0f} decisions/s\n"
      "empty scripts        {:>12.0f} EVALSHA/s, pipelined\n"
      "ratio                {:>12.2f}\n",
      chosen.subjects, chosen.callers, r.from_memory, r.refused, r.from_redis, r.raw, ratio);
}

awaitable<bool> run_rate_limit_bench(asio::io_context& io, const rate_limit_options& chosen) {
  bench_redis server(io);
  co_await server.start(chosen.redis_url);
  rates found;
  {
    rate_limit_bench bench(io, server.client(), server.tasks(), chosen);
    found = co_await bench.measure();
  }
  print(found, chosen);
  co_await server.stop();
  co_return found.from_memory >= 1e6 && found.refused >= 1e6 && found.from_redis >= found.raw / 2;
}

}  // namespace

void add_bench_rate_limit(CLI::App& bench, int& code) {
  auto* command =
      bench.add_subcommand("rate-limit", "Decisions of rate limits, from memory and from Redis");
  auto chosen = std::make_shared<rate_limit_options>();
  command->add_option("--redis", chosen->redis_url, "an empty Redis; none: one of its own");
  command->add_option("--subjects", chosen->subjects, "different subjects")
      ->capture_default_str()
      ->check(CLI::Range(1, 50'000));
  command->add_option("--callers", chosen->callers, "who wait for Redis at the same time")
      ->capture_default_str()
      ->check(CLI::Range(1, 5'000));
  command->add_option("--rounds", chosen->rounds, "of Redis and empty scripts, in turns")
      ->capture_default_str()
      ->check(CLI::Range(1, 100));
  command->add_option("--seconds", chosen->seconds, "of each kind and round")
      ->capture_default_str()
      ->check(CLI::Range(1, 3'600));
  command->add_flag("--json", chosen->as_json, "one JSON object");
  command->callback([chosen, &code] {
    const bool reached = skirmish::run([chosen](asio::io_context& io) -> awaitable<bool> {
      const bool ok = co_await run_rate_limit_bench(io, *chosen);
      co_return ok;
    });
    if (!reached)
      fmt::print(stderr,
                 "the targets (1,000,000 decisions/s from memory, ratio 0.5) were missed\n");
    code = done;
  });
}

}  // namespace skirmish::cli
