#include "support/postgresql_server.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <csignal>
#include <stdexcept>

namespace skirmish::testing {
namespace {

using namespace std::chrono_literals;
using redis::child_process;

// Debian keeps the server's programs apart, one directory a version; empty when there is none.
std::string find_server_program(const std::string& name) {
  std::error_code none;
  for (const auto& version : std::filesystem::directory_iterator("/usr/lib/postgresql", none))
    if (const auto program = version.path() / "bin" / name; std::filesystem::exists(program))
      return program.string();
  return redis::find_program({name});
}

// It refuses to run as root: then it runs as the user that its package made.
child_process::launch as_its_user(const std::string& name, std::vector<std::string> arguments,
                                  int output = -1) {
  auto program = find_server_program(name);
  if (geteuid() != 0) return {program, std::move(arguments), output};
  arguments.insert(arguments.begin(), {"--reuid=postgres", "--regid=postgres", "--clear-groups",
                                       "--pdeathsig=TERM", program});
  return {redis::find_program({"setpriv"}), std::move(arguments), output};
}

}  // namespace

bool postgresql_server::is_installed() {
  return !find_server_program("initdb").empty() && !find_server_program("postgres").empty() &&
         (geteuid() != 0 || getpwnam("postgres") != nullptr);
}

postgresql_server::postgresql_server() {
  if (geteuid() == 0) {
    const auto* user = getpwnam("postgres");
    if (::chown(dir_.path().c_str(), user->pw_uid, user->pw_gid) != 0)
      throw std::runtime_error("cannot give the directory to PostgreSQL's user");
  }
  child_process install(
      as_its_user("initdb", {"--no-sync", "--auth=trust", "--username=admin", "--encoding=UTF8",
                             "--locale=C", "--pgdata=" + (dir_.path() / "data").string()}));
  if (!install.wait(60s) || install.ending() != "exit code 0")
    throw std::runtime_error("initdb failed: " + install.ending());
  start();
}

void postgresql_server::start() {
  const auto log_file = (dir_.path() / "log").string();
  const int log = ::open(log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  process_ = child_process(
      as_its_user("postgres",
                  {"-D", (dir_.path() / "data").string(), "-k", dir_.path().string(), "-c",
                   "listen_addresses=", "-c", "fsync=off", "-c", "shared_buffers=16MB"},
                  log));
  ::close(log);
  wait_until_answering(administrator(), process_);
}

void postgresql_server::thaw() {
  for (const auto pid : frozen_) ::kill(pid, SIGCONT);
  frozen_.clear();
  process_.signal(SIGCONT);
}

db::config postgresql_server::administrator() const {
  db::config config;
  config.kind = db::sql_kind::postgresql;
  config.unix_socket = dir_.path().string();
  config.user = "admin";
  config.name = "postgres";
  return config;
}

db::config postgresql_server::fresh_database() {
  auto config = administrator();
  config.name = fmt::format("t{}", ++databases_);
  execute_sql(administrator(), "CREATE DATABASE " + config.name);
  return config;
}

}  // namespace skirmish::testing
