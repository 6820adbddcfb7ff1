// `skirmish simulate`: a small world that plays by itself.
#include "app.hpp"
#include "cli/cli.hpp"
#include "cli/own_server.hpp"
#include "core/parse.hpp"
#include "simulation/demo.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <csignal>

namespace skirmish::cli {
namespace {

struct simulate_flags {
  config_flags settings;
  server_flags server;
  simulation_plan plan;
  std::string duration = "60s";
  std::string rate = "5/s";
  std::string interval = "5s";
  std::string db_delay;
  bool shows_cache = false;
  bool plain = false;
};

double parse_rate(const std::string& text) {
  const auto number = parse_integer(
      text.ends_with("/s") ? std::string_view(text).substr(0, text.size() - 2) : text);
  if (!number || *number < 1 || *number > 10'000) throw usage_error{"--rate takes 1/s to 10000/s"};
  return static_cast<double>(*number);
}

simulation_plan plan_of(const simulate_flags& f) {
  auto plan = f.plan;
  const auto duration = parse_duration(f.duration);
  const auto interval = parse_duration(f.interval);
  if (!duration || !interval || interval->count() == 0)
    throw usage_error{"durations are written like 60s; --interval must not be 0"};
  plan.duration = *duration;
  plan.interval = *interval;
  plan.rate = parse_rate(f.rate);
  return plan;
}

// What --db-delay and --show-cache want of the server's caches.
cache::hooks hooks_of(const simulate_flags& f, const config& settings, demo_view& view) {
  cache::hooks out;
  if (!f.server.url.empty() && (!f.db_delay.empty() || f.shows_cache))
    throw usage_error{
        "--db-delay and --show-cache are for a server of its own; another one tells what its "
        "caches "
        "do in its log, with server.log_level=debug"};
  if (f.shows_cache)
    out.on_step = [&view](const cache::step& step) { view.line("cache", to_line(step)); };
  if (f.db_delay.empty()) return out;
  const auto delay = parse_duration(f.db_delay);
  const auto database = database_config_of(settings);
  if (!database) throw usage_error{database.error().message};
  const auto limit = db::cached_read_limit(database->kind);
  if (!delay || *delay >= limit)
    throw usage_error{fmt::format(
        "--db-delay takes a duration below {}: a request does not wait longer for this database",
        to_text(limit))};
  out.around_load = slowed_by(*delay);
  return out;
}

std::atomic<bool> interrupted{false};

}  // namespace

void add_simulate(CLI::App& app, int& code) {
  auto* command = app.add_subcommand("simulate", "A small world that plays by itself");
  command->footer(
      "Players complete levels, attack, move, trade, unlock achievements and chat through the API; "
      "what arrives on the\n"
      "channels is shown, and at the end the same totals are read back from the API.\n"
      "Examples:\n"
      "  skirmish simulate                                   with a server of its own, in ./data\n"
      "  skirmish simulate --url http://127.0.0.1:8090 --api-key-file key --players 50 --rate "
      "100/s");
  auto f = std::make_shared<simulate_flags>();
  f->settings.add_to(*command);
  f->server.add_to(*command);
  command->add_option("--players", f->plan.players)
      ->check(CLI::Range(2, 1'000))
      ->capture_default_str();
  command->add_option("--levels", f->plan.levels)
      ->check(CLI::Range(1, 1'000))
      ->capture_default_str();
  command->add_option("--duration", f->duration, "0 goes on until Ctrl-C")->capture_default_str();
  command->add_option("--rate", f->rate, "actions a second, at most")->capture_default_str();
  command->add_option("--interval", f->interval, "between reports")->capture_default_str();
  command->add_option("--db-delay", f->db_delay,
                      "make loading a profile or a level from SQL take longer, such as 2s");
  command->add_flag("--show-cache", f->shows_cache,
                    "show what the cache does: found, loading from the database, stored");
  command->add_option("--seed", f->plan.seed, "the same choices each time; 0: others")
      ->capture_default_str();
  command->add_flag("--plain", f->plain, "lines also on a terminal");
  command->callback([f, &code] {
    const auto plan = plan_of(*f);
    const bool live = !f->plain && isatty(STDOUT_FILENO) != 0;
    // With a server of its own the first Ctrl-C stops that server, which ends the simulation too.
    if (!f->server.url.empty()) std::signal(SIGINT, [](int) { interrupted = true; });
    bool agree = false;
    auto settings = f->settings.load();
    settings.chat.announce = true;
    demo_output out(when_full::wait, interrupted);
    demo_view view(live, out);
    auto hooks = hooks_of(*f, settings, view);
    with_server(
        settings, f->server.url, f->server.api_key,
        [&](const std::string& url, const std::string& key) {
          agree = run_simulation(plan, url, key, view, interrupted);
        },
        std::move(hooks), &interrupted);
    code = agree ? done : failed;
  });
}

}  // namespace skirmish::cli
