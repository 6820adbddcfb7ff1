// The program: its subcommands, and nothing else.
#include "cli/cli.hpp"
#include "cli/task_tools.hpp"
#include "core/error.hpp"

#include <fmt/format.h>
#include <sodium.h>

#include <csignal>
#include <cstdio>

int main(int argc, char** argv) {
  using namespace skirmish;
  // Writing to a peer that has gone is an error code here, not the end of the process.
  std::signal(SIGPIPE, SIG_IGN);
  if (sodium_init() < 0) {
    fmt::print(stderr, "skirmish: the random number generator does not work\n");
    return cli::failed;
  }
  CLI::App app{"Skirmish: a real-time game backend on Redis and SQL"};
  app.set_version_flag("--version", "skirmish " SKIRMISH_VERSION);
  app.require_subcommand(1);
  int code = cli::failed;
  cli::add_serve(app, code);
  cli::add_replay(app, code);
  cli::add_simulate(app, code);
  cli::add_bench(app, code);
  cli::add_operator_tools(app, code);
  cli::add_ban_tools(app, code);
  cli::add_status_worker(app, code);
  cli::add_task_tools(app, code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? cli::done : cli::bad_usage;
  } catch (const usage_error& e) {
    fmt::print(stderr, "skirmish: {}\n", e.message);
    return cli::bad_usage;
  } catch (const failure& e) {
    fmt::print(stderr, "skirmish: {}\n", e.what());
    return cli::failed;
  } catch (const std::exception& e) {
    fmt::print(stderr, "skirmish: unexpected error: {}\n", e.what());
    return cli::failed;
  }
  return code;
}
