// `skirmish bench status`: how fast the status is served, beside an nginx that serves the same
// bytes as a file.
#include "bench/bench.hpp"
#include "bench/bench_support.hpp"
#include "cli/cli.hpp"
#include "core/error.hpp"
#include "core/json_text.hpp"
#include "redis/child_process.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <boost/json/object.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <regex>
#include <thread>

namespace skirmish::cli {
namespace {

using namespace std::chrono_literals;
using asio::ip::tcp;
using redis::child_process;
namespace json = boost::json;

struct options {
  std::int64_t seconds = 5;
  std::int64_t connections = 64;
  // One core for the server, as nginx has one worker; the others for the load. Threads that wait
  // for a core would show in every latency.
  std::int64_t wrk_threads =
      std::max(std::int64_t{1}, std::int64_t{std::thread::hardware_concurrency()} - 1);
  std::int64_t server_threads = 1;
  std::int64_t rounds = 5;
  bool as_json = false;
};

struct measured {
  double per_second = 0;
  double p50_ms = 0;
  double p99_ms = 0;
};

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// A child whose output goes to a file.
class recorded_child {
 public:
  recorded_child(const std::string& program, std::vector<std::string> arguments,
                 std::filesystem::path output)
      : output_(std::move(output)) {
    const int fd = ::open(output_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) throw failure(errc::unavailable, "cannot write " + output_.string());
    child_ = child_process({program, std::move(arguments), fd});
    ::close(fd);
  }
  [[nodiscard]] std::string output() const { return read_file(output_); }
  child_process& process() noexcept { return child_; }

 private:
  std::filesystem::path output_;
  child_process child_;
};

std::uint16_t free_port() {
  asio::io_context io;
  const tcp::acceptor probe(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  return probe.local_endpoint().port();
}

// The whole response to a GET with `Connection: close`.
std::string fetch(std::uint16_t port, const std::string& path) {
  asio::io_context io;
  tcp::socket socket(io);
  socket.connect({asio::ip::address_v4::loopback(), port});
  const auto request = "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  asio::write(socket, asio::buffer(request));
  std::string response;
  error_code ec;
  asio::read(socket, asio::dynamic_buffer(response), ec);
  return response;
}

template <class Condition>
void wait_until(Condition condition, const char* what) {
  const auto limit = std::chrono::steady_clock::now() + 30s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > limit)
      throw failure(errc::deadline_exceeded, std::string(what) + " did not start");
    std::this_thread::sleep_for(50ms);
  }
}

bool answers(std::uint16_t port) {
  asio::io_context io;
  tcp::socket socket(io);
  error_code ec;
  socket.connect({asio::ip::address_v4::loopback(), port}, ec);
  return !ec;
}

std::string nginx_configuration(const std::filesystem::path& dir, std::uint16_t port) {
  return fmt::format(R"(worker_processes 1;
daemon off;
pid {0}/nginx.pid;
error_log {0}/nginx.log;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  open_file_cache max=16 inactive=1h;
  open_file_cache_valid 1h;
  default_type application/json;
  client_body_temp_path {0}; proxy_temp_path {0}; fastcgi_temp_path {0};
  uwsgi_temp_path {0}; scgi_temp_path {0};
  server {{ listen 127.0.0.1:{1} backlog=4096; root {0}/www; }}
}}
)",
                     dir.string(), port);
}

double milliseconds_of(const std::string& number, const std::string& unit) {
  const auto value = std::stod(number);
  return unit == "us" ? value / 1000 : unit == "s" ? value * 1000 : value;
}

measured parse_wrk(const std::string& output) {
  measured out;
  std::smatch found;
  if (output.find("Non-2xx") != std::string::npos ||
      output.find("Socket errors") != std::string::npos)
    throw failure(errc::internal, "wrk met errors:\n" + output);
  if (!std::regex_search(output, found, std::regex(R"(Requests/sec:\s+([0-9.]+))")))
    throw failure(errc::internal, "wrk's output cannot be read:\n" + output);
  out.per_second = std::stod(found[1]);
  if (std::regex_search(output, found, std::regex(R"(50%\s+([0-9.]+)(us|ms|s))")))
    out.p50_ms = milliseconds_of(found[1], found[2]);
  if (std::regex_search(output, found, std::regex(R"(99%\s+([0-9.]+)(us|ms|s))")))
    out.p99_ms = milliseconds_of(found[1], found[2]);
  return out;
}

measured run_wrk(const options& o, const std::string& wrk, std::uint16_t port,
                 const std::filesystem::path& dir) {
  recorded_child child(wrk,
                       {"-t", std::to_string(o.wrk_threads), "-c", std::to_string(o.connections),
                        "-d", std::to_string(o.seconds) + "s", "--latency",
                        fmt::format("http://127.0.0.1:{}/server/status", port)},
                       dir / "wrk.txt");
  if (!child.process().wait(std::chrono::seconds(o.seconds + 30)))
    throw failure(errc::deadline_exceeded, "wrk did not end");
  return parse_wrk(child.output());
}

measured median(std::vector<measured> all) {
  std::sort(all.begin(), all.end(),
            [](const auto& a, const auto& b) { return a.per_second < b.per_second; });
  return all[all.size() / 2];
}

json::object as_json(const measured& m) {
  return {{"requests_per_second", m.per_second}, {"p50_ms", m.p50_ms}, {"p99_ms", m.p99_ms}};
}

void print(const options& o, const measured& ours, const measured& theirs, std::size_t bytes) {
  const auto ratio = ours.per_second / theirs.per_second;
  if (o.as_json) {
    const json::object out{{"bench", "status"},        {"skirmish", as_json(ours)},
                           {"nginx", as_json(theirs)}, {"ratio", ratio},
                           {"body_bytes", bytes},      {"connections", o.connections},
                           {"rounds", o.rounds}};
    fmt::print("{}\n", json_text_of(out));
    return;
  }
  fmt::print("{:<28}{:>14}{:>10}{:>10}\n", "", "requests/s", "p50 ms", "p99 ms");
  const auto row = [](const char* name, const measured& m) {
    fmt::print("{:<28}{:>14.0f}{:>10.2f}{:>10.2f}\n", name, m.per_second, m.p50_ms, m.p99_ms);
  };
  row("skirmish serve", ours);
  row("nginx, one worker, a file", theirs);
  fmt::print("ratio {:.2f} ({} bytes, {} connections, median of {} rounds of {} s each)\n", ratio,
             bytes, o.connections, o.rounds, o.seconds);
}

// Returns false when a program that is compared with is not there.
bool run_bench(const options& o) {
  const auto wrk = redis::find_program({"wrk"});
  const auto nginx = redis::find_program({"nginx"});
  if (wrk.empty() || nginx.empty()) {
    fmt::print("skipped: {} is not installed\n", wrk.empty() ? "wrk" : "nginx");
    return false;
  }
  const scratch_directory dir;
  const auto port = free_port();
  std::vector<std::string> arguments{"serve",
                                     "--listen",
                                     fmt::format("127.0.0.1:{}", port),
                                     "--data-dir",
                                     (dir.path() / "data").string(),
                                     "--log-level",
                                     "warn"};
  if (o.server_threads > 0) {
    arguments.emplace_back("--threads");
    arguments.push_back(std::to_string(o.server_threads));
  }
  recorded_child server(std::filesystem::read_symlink("/proc/self/exe"), arguments,
                        dir.path() / "serve.txt");
  wait_until([&] { return server.output().find("ready http://") != std::string::npos; },
             "skirmish serve");
  const auto response = fetch(port, "/server/status");
  const auto body = response.substr(std::min(response.find("\r\n\r\n") + 4, response.size()));
  if (!response.starts_with("HTTP/1.1 200"))
    throw failure(errc::internal, "no status: " + response);

  const auto nginx_port = free_port();
  std::filesystem::create_directories(dir.path() / "www" / "server");
  std::ofstream(dir.path() / "www" / "server" / "status", std::ios::binary) << body;
  std::ofstream(dir.path() / "nginx.conf") << nginx_configuration(dir.path(), nginx_port);
  // nginx drops its rights when it is started as root; its worker must still reach the file.
  std::filesystem::permissions(dir.path(), std::filesystem::perms(0755));
  recorded_child other(nginx,
                       {"-c", (dir.path() / "nginx.conf").string(), "-p", dir.path().string()},
                       dir.path() / "nginx.txt");
  wait_until([&] { return answers(nginx_port); }, "nginx");
  if (!fetch(nginx_port, "/server/status").ends_with(body))
    throw failure(errc::internal, "nginx does not serve the file");

  std::vector<measured> ours;
  std::vector<measured> theirs;
  for (std::int64_t round = 0; round < o.rounds; ++round) {
    // By turns, so that whatever else the machine does hits both.
    ours.push_back(run_wrk(o, wrk, port, dir.path()));
    theirs.push_back(run_wrk(o, wrk, nginx_port, dir.path()));
    if (!o.as_json)
      fmt::print(stderr, "round {}: {:.0f} and {:.0f} requests/s\n", round + 1,
                 ours.back().per_second, theirs.back().per_second);
  }
  print(o, median(ours), median(theirs), body.size());
  return true;
}

}  // namespace

void add_bench_status(CLI::App& bench, int& code) {
  auto* command = bench.add_subcommand(
      "status",
      "Serve the status under wrk, beside a one-worker nginx with the same bytes as a file");
  const auto o = std::make_shared<options>();
  command->add_option("--seconds", o->seconds, "length of a round")
      ->check(CLI::Range(1, 600))
      ->capture_default_str();
  command->add_option("--rounds", o->rounds, "rounds for each; the median counts")
      ->check(CLI::Range(1, 101))
      ->capture_default_str();
  command->add_option("--connections", o->connections, "wrk's connections")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  command->add_option("--wrk-threads", o->wrk_threads, "wrk's threads")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  command->add_option("--threads", o->server_threads, "skirmish's threads; 0: one per core")
      ->check(CLI::Range(0, 256))
      ->capture_default_str();
  command->add_flag("--json", o->as_json, "print one JSON object");
  command->callback([o, &code] {
    run_bench(*o);
    code = done;
  });
}

}  // namespace skirmish::cli
