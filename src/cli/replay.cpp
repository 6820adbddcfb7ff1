// `skirmish replay FILE`: a real match log into a live world.
#include "app.hpp"
#include "cli/cli.hpp"
#include "cli/replayer.hpp"
#include "core/log.hpp"
#include "core/parse.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <thread>

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
  replay_plan plan;
  plan.file = f.file;
  const auto origin = ingest::parse_origin(f.origin);
  if (!origin) throw usage_error{"--origin: " + origin.error().message};
  plan.origin = *origin;
  plan.speed = parse_speed(f.speed);
  plan.show_progress = !f.as_json && isatty(STDERR_FILENO) != 0;
  std::ifstream in(f.file, std::ios::binary);
  if (!in) throw usage_error{"cannot read " + f.file};
  std::string head(ingest::detect_bytes, '\0');
  in.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<std::size_t>(in.gcount()));
  if (f.format == "auto") {
    const auto found = ingest::detect(head);
    if (!found) throw usage_error{f.file + ": " + found.error().message};
    plan.format = *found;
  } else if (f.format == "source" || f.format == "quake3") {
    plan.format = f.format == "source" ? ingest::format::source : ingest::format::quake3;
  } else {
    throw usage_error{"--format is auto, source or quake3"};
  }
  return plan;
}

std::string read_admin_key(const std::string& data_dir) {
  std::ifstream in(data_dir + "/admin.key");
  std::string key;
  in >> key;
  return key;
}

replay_summary replay_into(const replay_plan& plan, const std::string& url,
                           const std::string& key) {
  const auto server = parse_server_url(url);
  if (!server) throw usage_error{server.error().message};
  return run([&](asio::io_context& io) { return replay(io, plan, *server, key); });
}

// Runs a server of our own on a free port for the time of the replay. It must have the main thread,
// so the replay has another.
replay_summary replay_into_own(const replay_plan& plan, config settings) {
  settings.http.listen = "127.0.0.1:0";
  const auto data_dir = settings.server.data_dir;
  if (settings.server.log_level == "info") log::set_level(log::level::warn);
  app server(std::move(settings));
  std::optional<replay_summary> out;
  std::exception_ptr problem;
  std::thread work;
  server.run([&](const std::string& address) {
    work = std::thread([&, address] {
      try {
        out = replay_into(plan, "http://" + address, read_admin_key(data_dir));
      } catch (...) {
        problem = std::current_exception();
      }
      server.stop();
    });
  });
  if (work.joinable()) work.join();
  if (problem) std::rethrow_exception(problem);
  if (!out) throw failure(errc::unavailable, "interrupted");
  return *out;
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
      "  skirmish replay match.log --url http://127.0.0.1:8090 --api-key sk_… --speed 10x\n"
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
    const auto key =
        f->server.api_key.empty() ? read_admin_key(settings.server.data_dir) : f->server.api_key;
    const auto summary = f->server.url.empty() ? replay_into_own(plan, settings)
                                               : replay_into(plan, f->server.url, key);
    fmt::print("{}\n", f->as_json ? to_json(summary) : to_table(summary));
    code = done;
  });
}

}  // namespace skirmish::cli
