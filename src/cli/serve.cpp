// `skirmish serve`: the API server.
#include "app.hpp"
#include "cli/cli.hpp"
#include "cli/own_server.hpp"
#include "core/log.hpp"
#include "core/parse.hpp"
#include "replay/replayer.hpp"
#include "simulation/demo.hpp"

#include <boost/json/array.hpp>
#include <fmt/format.h>

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <thread>

namespace skirmish::cli {
namespace {

struct serve_flags {
  config_flags settings;
  std::string replay;    // a match log to show something with; empty: none
  std::string lifetime;  // stop by itself after this long; empty: never
  bool demo = false;     // let a simulated world play in it
};

// The best of a board as lines of text.
std::string board_text(const std::string& url, const std::string& board) {
  const auto server = parse_server_url(url);
  const auto answer = run([&](asio::io_context& io) -> awaitable<api_response> {
    http_client client(io, *server, "");
    co_return co_await client.get("/api/leaderboards/" + board + "?limit=10");
  });
  std::string out = fmt::format("leaderboard:{}\n", board);
  for (const auto& e : answer.body.at("items").as_array())
    out += fmt::format("  {:>2}  {:<32} {:>8}\n", e.at("rank").to_number<int>(),
                       std::string_view(e.at("player_id").as_string()),
                       e.at("score").to_number<double>());
  return out;
}

// Replays the sample, and shows where to look. Runs beside the server.
void show_around(const std::string& url, const std::string& replay, const std::string& api_key) {
  const auto summary = replay_into(plan_for(replay, "auto"), url, api_key);
  fmt::print("\nReplayed {}\n{}\n\n{}\n", replay, to_table(summary), board_text(url, "kills"));
  fmt::print("API        {0}/api\nDocs       {0}/docs\nWebSocket  ws{1}/api/ws\n", url,
             url.substr(4));
  std::fflush(stdout);
}

// Calls `stop` after `lifetime`, unless it is destroyed first.
class lifetime_limit {
 public:
  lifetime_limit(std::chrono::milliseconds lifetime, std::function<void()> stop)
      : thread_([lifetime, stop = std::move(stop)](const std::stop_token& ended) {
          std::mutex mutex;
          std::condition_variable_any wake;
          std::unique_lock lock(mutex);
          if (!wake.wait_for(lock, ended, lifetime, [] { return false; }) &&
              !ended.stop_requested())
            stop();
        }) {}

 private:
  std::jthread thread_;
};

// Simulates until the server ends: that it goes away is how this is meant to end.
void play(const config& settings, const std::string& address, const std::atomic<bool>& ending) {
  simulation_plan plan;
  plan.duration = std::chrono::milliseconds{0};
  try {
    demo_output out(when_full::leave_out, ending);
    demo_view view(false, out);
    run_simulation(plan, "http://" + address, read_admin_key(settings.server.data_dir), view,
                   ending);
  } catch (const failure& e) {
    if (!ending) log::warn("demo_ended", {{"error", e.what()}});
  }
}

struct set_at_exit {
  std::atomic<bool>& flag;
  ~set_at_exit() { flag = true; }
};

void serve(const serve_flags& flags) {
  auto settings = flags.settings.load();
  if (flags.demo) settings.chat.announce = true;
  const auto data_dir = settings.server.data_dir;
  const auto lifetime = parse_duration(flags.lifetime);
  if (!flags.lifetime.empty() && !lifetime) throw usage_error{"--for takes a duration such as 30s"};
  if (!flags.replay.empty()) plan_for(flags.replay, "auto");  // complain before anything starts
  app server(settings, flags.settings.sources());
  std::optional<lifetime_limit> limit;
  std::atomic<bool> ending{false};
  std::exception_ptr problem;
  std::jthread guide;
  const set_at_exit tell_guide{ending};  // also when the server fails: the guide is joined
  server.run([&](const std::string& address) {
    const auto url = "http://" + address;
    fmt::print("ready {}\n", url);
    std::fflush(stdout);
    if (lifetime) limit.emplace(*lifetime, [&server] { server.stop(); });
    if (flags.replay.empty() && !flags.demo) return;
    guide = std::jthread([&, address, url] {
      try {
        if (!flags.replay.empty()) show_around(url, flags.replay, read_admin_key(data_dir));
        if (flags.demo) play(settings, address, ending);
      } catch (...) {
        problem = std::current_exception();
        server.stop();
      }
    });
  });
  ending = true;
  if (guide.joinable()) guide.join();
  if (problem) std::rethrow_exception(problem);
}

}  // namespace

void add_serve(CLI::App& app, int& code) {
  auto* command = app.add_subcommand("serve", "Run the API server: HTTP, WebSocket, OpenAPI");
  command->footer(
      "Examples:\n"
      "  skirmish serve                                    everything embedded, on 127.0.0.1:8090\n"
      "  REDIS_URL=redis://cache DB_HOST=db DB_USER=game DB_PASSWORD=… skirmish serve\n"
      "  skirmish serve --listen 127.0.0.1:0 --data-dir /var/lib/skirmish --threads 2\n"
      "  skirmish serve --replay match.log --for 30s       show a match, then stop\n"
      "  skirmish serve --demo                             with players in it");
  auto flags = std::make_shared<serve_flags>();
  flags->settings.add_to(*command);
  flags->settings.add(*command, "--listen", "http.listen", "ADDR");
  flags->settings.add(*command, "--threads", "server.threads", "N");
  command->add_option("--replay", flags->replay, "replay this log when ready and say where to look")
      ->type_name("FILE");
  command->add_option("--for", flags->lifetime, "stop after this long")->type_name("DURATION");
  command->add_flag("--demo", flags->demo,
                    "let a simulated world play in it; see `skirmish simulate`");
  command->callback([flags, &code] {
    serve(*flags);
    code = done;
  });
}

}  // namespace skirmish::cli
