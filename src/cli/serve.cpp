// `skirmish serve`: the API server.
#include "app.hpp"
#include "cli/cli.hpp"
#include "cli/demo.hpp"
#include "cli/own_server.hpp"
#include "core/log.hpp"

#include <fmt/format.h>

#include <atomic>
#include <cstdio>
#include <thread>

namespace skirmish::cli {
namespace {

// Simulates until the server ends: that it goes away is how this is meant to end.
void play(const config& settings, const std::string& address, const std::atomic<bool>& ending) {
  simulation_plan plan;
  plan.duration = std::chrono::milliseconds{0};
  try {
    run_simulation(plan, "http://" + address, read_admin_key(settings.server.data_dir), false,
                   ending);
  } catch (const failure& e) {
    if (!ending) log::warn("demo_ended", {{"error", e.what()}});
  }
}

}  // namespace

void add_serve(CLI::App& app, int& code) {
  auto* command = app.add_subcommand("serve", "Run the API server: HTTP, WebSocket, OpenAPI");
  command->footer(
      "Examples:\n"
      "  skirmish serve                                    everything embedded, on 127.0.0.1:8090\n"
      "  REDIS_URL=redis://cache DB_HOST=db DB_USER=game DB_PASSWORD=… skirmish serve\n"
      "  skirmish serve --listen 127.0.0.1:0 --data-dir /var/lib/skirmish --threads 2\n"
      "  skirmish serve --demo                             with players in it");
  auto flags = std::make_shared<config_flags>();
  flags->add_to(*command);
  flags->add(*command, "--listen", "http.listen", "ADDR");
  flags->add(*command, "--threads", "server.threads", "N");
  auto demo = std::make_shared<bool>(false);
  command->add_flag("--demo", *demo, "let a simulated world play in it; see `skirmish simulate`");
  command->callback([flags, demo, &code] {
    const auto settings = flags->load();
    std::atomic<bool> ending{false};
    std::thread player;
    skirmish::app server(settings);
    server.run([&](const std::string& address) {
      fmt::print("ready http://{}\n", address);
      std::fflush(stdout);
      if (!*demo) return;
      player = std::thread([&, address] { play(settings, address, ending); });
    });
    ending = true;
    if (player.joinable()) player.join();
    code = done;
  });
}

}  // namespace skirmish::cli
