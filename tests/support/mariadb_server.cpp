#include "support/mariadb_server.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <stdexcept>

namespace skirmish::testing {
namespace {

using namespace std::chrono_literals;
using redis::child_process;

std::string need(const std::string& program) {
  auto path = redis::find_program({program});
  if (path.empty()) throw std::runtime_error("the tests need " + program);
  return path;
}

// Small and quick to start; nothing survives the test anyway.
const std::vector<std::string> small = {"--innodb-buffer-pool-size=16M",
                                        "--innodb-log-file-size=8M",
                                        "--innodb-flush-log-at-trx-commit=0",
                                        "--key-buffer-size=1M",
                                        "--aria-pagecache-buffer-size=1M",
                                        "--performance-schema=OFF",
                                        "--skip-name-resolve",
                                        "--max-connections=300"};

std::vector<std::string> with_user(std::vector<std::string> arguments) {
  // mariadbd refuses to run as root unless it is told that this is meant.
  if (geteuid() == 0) arguments.emplace_back("--user=root");
  return arguments;
}

}  // namespace

mariadb_server::mariadb_server() {
  const auto data = (dir_.path() / "data").string();
  child_process install(
      {need("mariadb-install-db"),
       with_user({"--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db",
                  "--innodb-log-file-size=8M", "--datadir=" + data})});
  if (!install.wait(60s) || install.ending() != "exit code 0")
    throw std::runtime_error("mariadb-install-db failed: " + install.ending());
  start();
}

void mariadb_server::start() {
  auto arguments = with_user({"--no-defaults", "--datadir=" + (dir_.path() / "data").string(),
                              "--socket=" + socket(), "--skip-networking",
                              "--pid-file=" + (dir_.path() / "pid").string()});
  arguments.insert(arguments.end(), small.begin(), small.end());
  const auto log_file = (dir_.path() / "log").string();
  const int log = ::open(log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  process_ = child_process({need("mariadbd"), arguments, log});
  ::close(log);
  wait_until_answering(root(), process_);
}

void mariadb_server::kill() {
  process_.signal(SIGKILL);
  process_.wait(10s);
}

db::config mariadb_server::root() const {
  db::config config;
  config.kind = db::sql_kind::mysql;
  config.unix_socket = socket();
  config.user = "root";
  config.name = "mysql";
  return config;
}

db::config mariadb_server::fresh_database() {
  auto config = root();
  config.name = fmt::format("t{}", ++databases_);
  execute_sql(root(), "CREATE DATABASE " + config.name);
  return config;
}

}  // namespace skirmish::testing
