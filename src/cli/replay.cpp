// `skirmish replay FILE`: a real match log into a live world.
#include "cli/cli.hpp"
#include "cli/own_server.hpp"
#include "core/parse.hpp"
#include "ingest/server_boards.hpp"
#include "replay/follower.hpp"
#include "replay/replayer.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>

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
  bool follow = false;
  std::string state_file;
  std::string server_name;
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

std::string server_name_of(const replay_flags& f) {
  if (!f.server_name.empty() && !ingest::is_server_name(f.server_name))
    throw usage_error{"--server takes 1 to 32 of A-Z a-z 0-9 _ . -"};
  return f.server_name;
}

replay_plan plan_of(const replay_flags& f) {
  auto plan = plan_for(f.file, f.format);
  const auto origin = ingest::parse_origin(f.origin);
  if (!origin) throw usage_error{"--origin: " + origin.error().message};
  plan.origin = *origin;
  plan.server = server_name_of(f);
  plan.speed = parse_speed(f.speed);
  plan.show_progress = !f.as_json && isatty(STDERR_FILENO) != 0;
  return plan;
}

std::atomic<bool> interrupted{false};

// The first signal ends it in order, the second at once.
void end_on_signals() {
  struct sigaction action{};
  action.sa_handler = [](int) { interrupted = true; };
  action.sa_flags = SA_RESETHAND;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

replay_summary follow_file(const replay_flags& f) {
  if (f.server.url.empty())
    throw usage_error{"--follow needs a running server: --url http://127.0.0.1:8090"};
  if (f.speed != "max") throw usage_error{"--follow knows no --speed but the log's own"};
  follow_plan plan;
  plan.file = f.file;
  plan.format = ingest::parse_format(f.format);
  plan.state_file = f.state_file;
  plan.stop = &interrupted;
  if (!plan.format && f.format != "auto")
    throw usage_error{"--format is auto, source, quake3 or xonotic"};
  const auto origin = ingest::parse_origin(f.origin);
  if (!origin) throw usage_error{"--origin: " + origin.error().message};
  plan.origin = *origin;
  plan.server = server_name_of(f);
  end_on_signals();
  replay_summary summary;
  with_server(
      f.settings.load(), f.server.url, f.server.api_key,
      [&](const std::string& url, const std::string& key) { summary = follow(plan, url, key); });
  return summary;
}

replay_summary replay_file(const replay_flags& f) {
  const auto plan = plan_of(f);
  replay_summary summary;
  with_server(f.settings.load(), f.server.url, f.server.api_key,
              [&](const std::string& url, const std::string& key) {
                summary = replay_into(plan, url, key);
              });
  return summary;
}

}  // namespace

void add_replay(CLI::App& app, int& code) {
  auto* command = app.add_subcommand("replay", "Replay a game server's log into a live world");
  command->footer(
      "Logs of Counter-Strike and other Source and GoldSrc games, of Quake III and games made from "
      "it, and of\n"
      "Xonotic. Cut and started again, or run twice, a replay applies each event once. Do not both "
      "replay and\n"
      "follow the same log: its events would count twice.\n"
      "Examples:\n"
      "  skirmish replay match.log                                   into a server of its own, in "
      "./data\n"
      "  skirmish replay match.log --url http://127.0.0.1:8090 --api-key-file key --speed 10x\n"
      "  skirmish replay games.log --format quake3 --json\n"
      "  skirmish replay --follow games.log --url http://127.0.0.1:8090 --api-key-file key\n"
      "  skirmish replay --follow games.log --server duel --url http://127.0.0.1:8090 "
      "--api-key-file "
      "key");
  auto f = std::make_shared<replay_flags>();
  f->settings.add_to(*command);
  f->server.add_to(*command);
  command->add_option("FILE", f->file, "the log")->required();
  command->add_option("--format", f->format, "auto, source, quake3 or xonotic")
      ->capture_default_str();
  command->add_option("--speed", f->speed, "max, or N times the match's own speed: 1x, 10x")
      ->capture_default_str();
  command->add_option("--origin", f->origin, "where the map's origin lies: LAT,LON")
      ->capture_default_str();
  command->add_option("--server", f->server_name,
                      "the game server's name: also fills the boards server:NAME:kills and others "
                      "(docs/game-servers.md)");
  command->add_flag("--json", f->as_json, "print one JSON object");
  command->add_flag("--follow", f->follow,
                    "go on with what is written to the log, until SIGINT or SIGTERM; needs --url");
  command
      ->add_option("--follow-state", f->state_file,
                   "where following keeps what a restart needs (default: FILE.follow)")
      ->needs("--follow");
  command->callback([f, &code] {
    const auto summary = f->follow ? follow_file(*f) : replay_file(*f);
    fmt::print("{}\n", f->as_json ? to_json(summary) : to_table(summary));
    code = done;
  });
}

}  // namespace skirmish::cli
