#include "bench/bench_window_table.hpp"

#include <fmt/format.h>

namespace skirmish::cli {

namespace json = boost::json;

void print_window_table(const json::object& measured) {
  const auto n = [&](const char* name) { return measured.at(name).to_number<double>(); };
  fmt::print(
      "{:.0f} interactions of {:.0f} players in {:.0f} slices, {:.0f} a second{}; then {:.0f} "
      "slices "
      "came and went, {:.0f} interactions per second\n\n",
      n("interactions"), n("players"), n("slices"), n("fed_per_s"),
      measured.at("bulk").as_bool() ? " (in bulk)" : "", n("swept_slices"), n("load_per_s"));
  fmt::print("{:<54} {:>10} {:>10}\n", "", "measured", "asked");
  const auto line = [&](const char* what, const char* name, const char* asked) {
    fmt::print("{:<54} {:>10.2f} {:>10}\n", what, n(name), asked);
  };
  line("window, MB", "window_mb", "<= 260");
  line("  of it packed slices, MB", "slices_mb", "");
  line("  of it the board with its exact order, MB", "board_mb", "");
  line("growth of Redis' memory, MB", "redis_growth_mb", "");
  line("wrong places in the top 100, settled", "rank_errors", "0");
  line("wrong places in the top 100, while it is swept", "live_rank_errors", "0");
  line("sweeping step, ms that Redis worked, p50", "sweep_worked_p50_ms", "");
  line("  p99", "sweep_worked_p99_ms", "");
  line("  longest", "sweep_worked_max_ms", "<= 5");
  line("longest sweeping script by the clock, ms (0: under 1)", "sweep_max_ms", "<= 5");
  line("  longest wait of Redis for a core during a step, ms", "sweep_waited_max_ms", "");
  line("  scripts over 5 ms", "sweep_pauses_over_5_ms", "0");
  line("GET active?limit=100 under load, p50 ms", "read_p50_ms", "");
  line("GET active?limit=100 under load, p99 ms", "read_p99_ms", "<= 3");
  line("GET active?limit=100 under load, max ms", "read_max_ms", "");
}

bool reached_window_targets(const json::object& measured) {
  const auto n = [&](const char* name) { return measured.at(name).to_number<double>(); };
  return n("window_mb") <= 260 && n("rank_errors") == 0 && n("live_rank_errors") == 0 &&
         n("sweep_pauses_over_5_ms") == 0 && n("sweep_worked_max_ms") <= 5 &&
         n("read_p99_ms") <= 3 && n("reads_failed") == 0;
}

}  // namespace skirmish::cli
