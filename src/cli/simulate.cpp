// `skirmish simulate`: a small world that plays by itself.
#include "cli/cli.hpp"
#include "cli/own_server.hpp"
#include "core/parse.hpp"
#include "simulation/demo.hpp"

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
                      "make loading a profile from SQL take longer, such as 2s");
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
    if (!f->db_delay.empty()) {
      if (!f->server.url.empty())
        throw usage_error{"--db-delay is for a server of its own; set db.demo_delay at the other"};
      const auto set_delay = set(settings, "db.demo_delay", f->db_delay);
      if (!set_delay) throw usage_error{set_delay.error().message};
    }
    // A simulation is short: popular levels should be seen to be cached while it runs.
    settings.levels.popular_refresh = std::chrono::seconds{1};
    with_server(
        settings, f->server.url, f->server.api_key,
        [&](const std::string& url, const std::string& key) {
          agree = run_simulation(plan, url, key, live, when_full::wait, interrupted);
        },
        &interrupted);
    code = agree ? done : failed;
  });
}

}  // namespace skirmish::cli
