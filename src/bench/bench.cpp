#include "bench/bench.hpp"

#include "cli/cli.hpp"

#include <fmt/format.h>

namespace skirmish::cli {

void add_bench(CLI::App& app, int& code) {
  auto* bench = app.add_subcommand("bench", "Measure a server under load");
  bench->require_subcommand(1);
  add_bench_chat(*bench, code);
  add_bench_cache(*bench, code);
  add_bench_console(*bench, code);
  add_bench_interactions(*bench, code);
  add_bench_leaderboard(*bench, code);
  add_bench_rate_limit(*bench, code);
  add_bench_sessions(*bench, code);
  add_bench_status(*bench, code);
  add_bench_window(*bench, code);
  bench->footer(
      "Examples:\n"
      "  skirmish bench interactions\n"
      "  skirmish bench leaderboard --json");
  // Those that need no more words than this.
  for (const auto* name :
       {"chat", "cache", "console", "leaderboard", "rate-limit", "sessions", "status"})
    bench->get_subcommand(name)->footer(fmt::format("Examples:\n  skirmish bench {}", name));
}

}  // namespace skirmish::cli
