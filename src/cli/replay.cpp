// `skirmish replay FILE`: a real match log into a live world.
#include "cli/cli.hpp"
#include "cli/own_server.hpp"
#include "core/parse.hpp"
#include "replay/replayer.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

namespace skirmish::cli {
namespace {

struct replay_flags {
  config_flags settings;
  server_flags server;
  std::string file;
  std::string format = "auto";
  std::string speed = "max";
  std::string origin = "48.8566,2.3522";
  bool as_json = false;
};

// "max" is no limit; "1x" the match's own speed, "10x" ten times that.
std::optional<double> parse_speed(const std::string& text) {
  if (text == "max") return std::nullopt;
  const auto times =
      text.ends_with('x') ? parse_integer(text.substr(0, text.size() - 1)) : std::nullopt;
  if (!times || *times < 1 || *times > 100'000)
    throw usage_error{"--speed takes max, or 1x to 100000x"};
  return static_cast<double>(*times);
}

replay_plan plan_of(const replay_flags& f) {
  auto plan = plan_for(f.file, f.format);
  const auto origin = ingest::parse_origin(f.origin);
  if (!origin) throw usage_error{"--origin: " + origin.error().message};
  plan.origin = *origin;
  plan.speed = parse_speed(f.speed);
  plan.show_progress = !f.as_json && isatty(STDERR_FILENO) != 0;
  return plan;
}

}  // namespace

void add_replay(CLI::App& app, int& code) {
  auto* command = app.add_subcommand("replay", "Replay a game server's log into a live world");
  command->footer(
      "Counter-Strike and other Source-engine logs, and Quake III logs. Cut and started again, or "
      "run twice,\n"
      "a replay applies each event once.\n"
      "Examples:\n"
      "  skirmish replay match.log                                   into a server of its own, in "
      "./data\n"
      "  skirmish replay match.log --url http://127.0.0.1:8090 --api-key-file key --speed 10x\n"
      "  skirmish replay games.log --format quake3 --json");
  auto f = std::make_shared<replay_flags>();
  f->settings.add_to(*command);
  f->server.add_to(*command);
  command->add_option("FILE", f->file, "the log")->required();
  command->add_option("--format", f->format, "auto, source or quake3")->capture_default_str();
  command->add_option("--speed", f->speed, "max, or N times the match's own speed: 1x, 10x")
      ->capture_default_str();
  command->add_option("--origin", f->origin, "where the map's origin lies: LAT,LON")
      ->capture_default_str();
  command->add_flag("--json", f->as_json, "print one JSON object");
  command->callback([f, &code] {
    const auto plan = plan_of(*f);
    const auto settings = f->settings.load();
    replay_summary summary;
    with_server(settings, f->server.url, f->server.api_key,
                [&](const std::string& url, const std::string& key) {
                  summary = replay_into(plan, url, key);
                });
    fmt::print("{}\n", f->as_json ? to_json(summary) : to_table(summary));
    code = done;
  });
}

}  // namespace skirmish::cli
