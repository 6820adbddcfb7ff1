// `skirmish serve`: the API server.
#include "app.hpp"
#include "cli/cli.hpp"

#include <fmt/format.h>

#include <cstdio>

namespace skirmish::cli {

void add_serve(CLI::App& app, int& code) {
  auto* command = app.add_subcommand("serve", "Run the API server: HTTP, WebSocket, OpenAPI");
  command->footer(
      "Examples:\n"
      "  skirmish serve                                    everything embedded, on 127.0.0.1:8090\n"
      "  REDIS_URL=redis://cache DB_HOST=db DB_USER=game DB_PASSWORD=… skirmish serve\n"
      "  skirmish serve --listen 127.0.0.1:0 --data-dir /var/lib/skirmish --threads 2");
  auto flags = std::make_shared<config_flags>();
  flags->add_to(*command);
  flags->add(*command, "--listen", "http.listen", "ADDR");
  flags->add(*command, "--threads", "server.threads", "N");
  command->callback([flags, &code] {
    skirmish::app server(flags->load());
    server.run([](const std::string& address) {
      fmt::print("ready http://{}\n", address);
      std::fflush(stdout);
    });
    code = done;
  });
}

}  // namespace skirmish::cli
