#include "support/redis_server.hpp"

#include "core/asio.hpp"
#include "support/freeze.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <random>
#include <stdexcept>
#include <thread>

namespace skirmish::testing {
namespace {

using namespace std::chrono_literals;
using redis::child_process;

constexpr auto start_limit = 20'000ms;

std::string server_program() {
  const auto program = redis::find_program({"valkey-server", "redis-server"});
  if (program.empty()) throw std::runtime_error("the tests need valkey-server or redis-server");
  return program;
}

void make_certificate(const std::filesystem::path& dir) {
  const auto openssl = redis::find_program({"openssl"});
  if (openssl.empty()) throw std::runtime_error("the TLS tests need openssl");
  const auto key = (dir / "key.pem").string();
  const auto certificate = (dir / "cert.pem").string();
  child_process process(
      {openssl,
       {"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
        "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=localhost", "-addext",
        "subjectAltName=DNS:localhost"}});
  if (!process.wait(start_limit) || process.ending() != "exit code 0")
    throw std::runtime_error("openssl made no certificate: " + process.ending());
}

// The first line of the answer, or the whole of a bulk string; empty when there is none.
std::string reply_to(const std::string& unix_socket, const std::string& command) {
  asio::io_context io{1};
  asio::local::stream_protocol::socket socket(io);
  boost::system::error_code problem;
  socket.connect(asio::local::stream_protocol::endpoint(unix_socket), problem);
  if (problem) return {};
  asio::write(socket, asio::buffer(command + "\r\n"), problem);
  std::string line;
  const auto size = asio::read_until(socket, asio::dynamic_buffer(line), "\r\n", problem);
  if (problem) return {};
  if (line.starts_with('$') && !line.starts_with("$-")) {
    const auto wanted = size + std::stoul(line.substr(1)) + 2;
    while (line.size() < wanted && !problem)
      asio::read(socket, asio::dynamic_buffer(line), asio::transfer_at_least(1), problem);
  }
  return line;
}

}  // namespace

temp_dir::temp_dir() {
  auto pattern = (std::filesystem::temp_directory_path() / "skirmish-test-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
  path_ = pattern;
}

temp_dir::~temp_dir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

redis_server::redis_server(server_options options) : options_(std::move(options)) {
  if (options_.tcp) port_ = free_port();
  if (options_.tls) {
    tls_port_ = free_port();
    make_certificate(dir_.path());
  }
  start();
}

redis::connection_config redis_server::config() const {
  redis::connection_config config;
  config.unix_socket = socket();
  config.password = options_.password;
  // A busy machine is no outage; the tests of outages have deadlines of their own.
  config.command_timeout = 30s;
  config.health_check_interval = 30s;
  return config;
}

void redis_server::start(const std::vector<std::string>& more) {
  std::vector<std::string> arguments{
      "--port",    std::to_string(port_), "--bind",
      "127.0.0.1", "--unixsocket",        socket(),
      "--dir",     dir_.path().string(),  "--save",
      "",          "--appendonly",        options_.append_only ? "yes" : "no"};
  const auto add = [&arguments](const std::vector<std::string>& words) {
    arguments.insert(arguments.end(), words.begin(), words.end());
  };
  if (!options_.password.empty()) add({"--requirepass", options_.password});
  if (options_.tls)
    add({"--tls-port", std::to_string(tls_port_), "--tls-cert-file", certificate_file(),
         "--tls-key-file", (dir_.path() / "key.pem").string(), "--tls-ca-cert-file",
         certificate_file(), "--tls-auth-clients", "no"});
  arguments.insert(arguments.end(), options_.arguments.begin(), options_.arguments.end());
  arguments.insert(arguments.end(), more.begin(), more.end());

  const auto log_file = (dir_.path() / "log").string();
  const int log = open(log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  process_ = child_process({server_program(), arguments, log});
  close(log);
  const auto limit = std::chrono::steady_clock::now() + start_limit;
  while (!answers(socket())) {
    if (!process_.running() || std::chrono::steady_clock::now() > limit)
      throw std::runtime_error("the Redis server of the tests did not start: see " + log_file);
    std::this_thread::sleep_for(5ms);
  }
}

void redis_server::kill() {
  process_.signal(SIGKILL);
  process_.wait(start_limit);
}

void redis_server::freeze() { testing::freeze(process_); }

void redis_server::thaw() { process_.signal(SIGCONT); }

void redis_server::tell(const std::string& command) const {
  const auto reply = reply_to(socket(), command);
  if (!reply.starts_with("+OK")) throw std::runtime_error(command + ": " + reply);
}

bool redis_server::says(const std::string& command, const std::string& text) const {
  return reply_to(socket(), command).find(text) != std::string::npos;
}

void redis_server::restart() {
  kill();
  start();
}

bool answers(const std::string& unix_socket) { return !reply_to(unix_socket, "PING").empty(); }

std::uint16_t free_port() {
  static std::minstd_rand random{std::random_device{}()};
  asio::io_context io{1};
  for (;;) {
    // The kernel gives none of this range away, so the port stays free also while its server is
    // down.
    const auto port = std::uniform_int_distribution<std::uint16_t>{12'000, 32'000}(random);
    try {
      const asio::ip::tcp::acceptor acceptor(io, {asio::ip::address_v4::loopback(), port});
      return port;
    } catch (const boost::system::system_error& e) {
      if (e.code() != asio::error::address_in_use) throw;
    }
  }
}

}  // namespace skirmish::testing
