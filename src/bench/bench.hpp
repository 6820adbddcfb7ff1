// The load generators behind `skirmish bench NAME`; each registers itself under the subcommand
// `bench`.
#pragma once

#include <CLI/CLI.hpp>

namespace skirmish::cli {

void add_bench_chat(CLI::App& bench, int& code);
void add_bench_cache(CLI::App& bench, int& code);
void add_bench_console(CLI::App& bench, int& code);
void add_bench_interactions(CLI::App& bench, int& code);
void add_bench_leaderboard(CLI::App& bench, int& code);
void add_bench_rate_limit(CLI::App& bench, int& code);
void add_bench_sessions(CLI::App& bench, int& code);
void add_bench_status(CLI::App& bench, int& code);
void add_bench_window(CLI::App& bench, int& code);

}  // namespace skirmish::cli
