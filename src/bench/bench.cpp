#include "bench/bench.hpp"

#include "cli/cli.hpp"

namespace skirmish::cli {

void add_bench(CLI::App& app, int& code) {
  auto* bench = app.add_subcommand("bench", "Measure a server under load");
  bench->require_subcommand(1);
  add_bench_chat(*bench, code);
  add_bench_cache(*bench, code);
  add_bench_interactions(*bench, code);
  add_bench_leaderboard(*bench, code);
  add_bench_status(*bench, code);
  add_bench_window(*bench, code);
}

}  // namespace skirmish::cli
