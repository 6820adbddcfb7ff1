#include "bench/bench_tasks_table.hpp"

#include <boost/json/value.hpp>
#include <fmt/format.h>

#include <iostream>
#include <string>

namespace skirmish::cli {

using json_object = boost::json::object;

void print_tasks_table(const json_object& all) {
  const auto row = [&](const char* label, const char* key, const char* asked) {
    std::cout << fmt::format(
        "{:<34}{:>12}{:>12}", label,
        fmt::format("{:.0f}", all.at("skirmish").as_object().at(key).to_number<double>()), asked);
    for (const auto peer : {"celery", "bullmq"}) {
      const auto* p = all.if_contains(peer);
      const auto* v = p && p->is_object() ? p->get_object().if_contains(key) : nullptr;
      const double mine = all.at("skirmish").as_object().at(key).to_number<double>();
      std::cout << (v ? fmt::format("{:>12.0f}{:>8}", v->to_number<double>(),
                                    fmt::format("x{:.1f}", mine / v->to_number<double>()))
                      : fmt::format("{:>12}{:>8}", "-", ""));
    }
    std::cout << '\n';
  };
  const auto version = [&all](const char* peer) {
    const auto* p = all.if_contains(peer);
    const auto* v = p && p->is_object() ? p->get_object().if_contains("version") : nullptr;
    return fmt::format("{} {}", peer, v ? std::string(v->as_string()) : std::string("-"));
  };
  std::cout << fmt::format("{:<34}{:>12}{:>12}{:>20}{:>20}\n", "tasks per second", "skirmish",
                           "asked", version("celery"), version("bullmq"));
  row("drain, results ignored", "drain_ignored", "60000");
  row("drain, results stored", "drain_results", "35000");
  row("drain, events on", "drain_events", "35000");
  row("enqueue in batches", "enqueue_batch", "100000");
  row("enqueue one by one", "enqueue_one_by_one", "15000");
  const auto& own = all.at("skirmish").as_object();
  const auto& late = own.at("latency").as_object();
  std::cout << fmt::format(
      "latency at 1,000/s: p50 {:.2f} ms, p99 {:.2f} ms (asked: 5 ms), max {:.2f} ms\n",
      late.at("p50_ms").to_number<double>(), late.at("p99_ms").to_number<double>(),
      late.at("max_ms").to_number<double>());
  std::cout << fmt::format("an idle worker uses {:.2f} % of a core (asked: below 1)\n",
                           own.at("idle_percent").to_number<double>());
  const auto& far = own.at("far_etas").as_object();
  std::cout << fmt::format(
      "{} tasks with eta tomorrow: {:.0f} bytes of Redis each, {:.2f} GB a million (asked: 1.2), "
      "and "
      "{:.2f} % of a core of the worker\n",
      far.at("tasks").to_number<std::int64_t>(), far.at("bytes_each").to_number<double>(),
      far.at("gb_a_million").to_number<double>(), far.at("worker_percent").to_number<double>());
}

}  // namespace skirmish::cli
