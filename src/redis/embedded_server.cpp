#include "redis/embedded_server.hpp"

#include "core/error.hpp"
#include "core/log.hpp"

#include <boost/asio/cancel_after.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/write.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <utility>

namespace skirmish::redis {
namespace {

using namespace std::chrono_literals;
using namespace asio::experimental::awaitable_operators;
namespace fs = std::filesystem;
using asio::local::stream_protocol;
using std::chrono::steady_clock;

constexpr auto poll_interval = 20ms;
constexpr auto probe_timeout = 1'000ms;
constexpr auto progress_interval = 5'000ms;
constexpr std::chrono::milliseconds restart_pause_first = 100ms;
constexpr std::chrono::milliseconds restart_pause_limit = 5'000ms;
constexpr std::size_t socket_path_limit_bytes = sizeof(sockaddr_un::sun_path) - 1;
constexpr std::size_t reply_limit_bytes = 4'096;

enum class probe_result { silent, loading, ready };

awaitable<void> pause(std::chrono::milliseconds duration) {
  asio::steady_timer timer(co_await asio::this_coro::executor, duration);
  co_await timer.async_wait(use_awaitable);
}

awaitable<void> exchange_ping(stream_protocol::socket& socket, const fs::path& path,
                              std::string& reply) {
  const stream_protocol::endpoint server(path.string());
  co_await socket.async_connect(server, use_awaitable);
  co_await asio::async_write(socket, asio::buffer("PING\r\n", 6), use_awaitable);
  auto into = asio::dynamic_buffer(reply, reply_limit_bytes);
  co_await asio::async_read_until(socket, into, "\r\n", use_awaitable);
}

awaitable<probe_result> probe(const fs::path& path) {
  const auto executor = co_await asio::this_coro::executor;
  stream_protocol::socket socket(executor);
  std::string reply;
  const auto work = [&] { return exchange_ping(socket, path, reply); };
  try {
    co_await asio::co_spawn(executor, work, asio::cancel_after(probe_timeout, use_awaitable));
  } catch (const boost::system::system_error&) {
    co_return probe_result::silent;
  }
  co_return reply.starts_with("+PONG") ? probe_result::ready : probe_result::loading;
}

// In a private directory, for a data directory whose own path is too long for a socket's address.
fs::path short_socket_path(const fs::path& data_dir) {
  const auto dir = fs::temp_directory_path() /
                   fmt::format("skirmish-{}-{:x}", geteuid(), fs::hash_value(data_dir));
  mkdir(dir.c_str(), 0700);
  struct stat found{};
  const bool is_ours = lstat(dir.c_str(), &found) == 0 && S_ISDIR(found.st_mode) &&
                       found.st_uid == geteuid() && (found.st_mode & 0077) == 0;
  if (!is_ours)
    throw failure(errc::unavailable,
                  dir.string() + " must be a directory of this user that nobody else can open");
  return dir / "redis.sock";
}

std::string read_first_line(const fs::path& file) {
  std::string line;
  std::ifstream in(file);
  std::getline(in, line);
  return line;
}

void make_private_directory(const fs::path& dir) {
  std::error_code problem;
  if (fs::create_directories(dir, problem) && !problem)
    fs::permissions(dir, fs::perms::owner_all, problem);
  if (problem)
    throw failure(errc::unavailable, fmt::format("{}: {}", dir.string(), problem.message()));
}

// The server is started in its directory and told `socket` relative to that, so that no quote or
// space of the path's becomes part of its configuration, where versions read them differently.
std::vector<std::string> server_arguments(const fs::path& socket) {
  return {"--port", "0", "--unixsocket", socket.string(), "--unixsocketperm", "700",
          // What was acknowledged survives the death of any process, and all but a second of it the
          // machine's.
          "--appendonly", "yes", "--appendfsync", "everysec", "--save", "",
          // Writing the file anew takes a core for seconds, so not before that is worth it.
          "--auto-aof-rewrite-min-size", "1gb", "--latency-tracking", "no",
          // Nothing may be dropped to make room: a full memory is an error that the caller sees.
          "--maxmemory-policy", "noeviction", "--daemonize", "no", "--loglevel", "notice",
          "--logfile", ""};
}

}  // namespace

embedded_server::embedded_server(asio::io_context& io, embedded_options options)
    : io_(io), options_(std::move(options)) {
  std::error_code problem;
  options_.data_dir = fs::weakly_canonical(fs::absolute(options_.data_dir), problem);
  if (problem) throw failure(errc::unavailable, "data directory: " + problem.message());
  socket_ = options_.data_dir / "redis.sock";
  if (socket_.string().size() > socket_path_limit_bytes)
    socket_ = short_socket_path(options_.data_dir);
}

embedded_server::~embedded_server() = default;

connection_config embedded_server::config() const {
  connection_config config;
  config.unix_socket = socket_.string();
  return config;
}

awaitable<void> embedded_server::start() {
  if (options_.program.empty()) options_.program = find_program({"valkey-server", "redis-server"});
  if (options_.program.empty())
    throw failure(
        errc::unavailable,
        "neither valkey-server nor redis-server is installed: install one of them (on Debian: "
        "apt-get "
        "install valkey-server, or redis-server), or name a running server with REDIS_URL");
  make_private_directory(options_.data_dir);
  make_private_directory(options_.data_dir / "redis");
  const auto lock_path = options_.data_dir / "lock";
  directory_lock_ = file_lock::try_acquire(lock_path);
  if (!directory_lock_)
    throw failure(
        errc::conflict,
        fmt::format(
            "the data directory {} is in use by another Skirmish (process {}): stop that one, or "
            "choose another directory",
            options_.data_dir.string(), read_first_line(lock_path)));
  directory_lock_->write(std::to_string(getpid()) + "\n");
  co_await launch();
}

// Waits until no server works on the files any more: a killed owner's child, or our own last one
// and its helpers.
awaitable<file_lock> embedded_server::take_over() {
  const auto path = options_.data_dir / "redis.lock";
  const auto begin = steady_clock::now();
  bool killed = false;
  while (true) {
    if (auto lock = file_lock::try_acquire(path)) co_return std::move(*lock);
    const auto waited = steady_clock::now() - begin;
    if (waited > 2 * options_.leftover_grace)
      throw failure(errc::unavailable, "the Redis of an earlier run still holds " + path.string());
    if (waited > options_.leftover_grace && !std::exchange(killed, true))
      for (const auto pid : lock_holders(path)) {
        log::warn("redis_leftover_killed", {{"pid", pid}});
        kill(pid, SIGKILL);
      }
    co_await pause(poll_interval);
  }
}

awaitable<void> embedded_server::launch() {
  const auto lock = co_await take_over();
  if (stopping_) throw failure(errc::unavailable, "Redis is being stopped");
  std::error_code ignored;
  fs::remove(socket_, ignored);  // of a server that was killed
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0)
    throw failure(errc::unavailable, fmt::format("pipe: {}", std::strerror(errno)));
  output_ = std::make_unique<server_output>(io_, ends[0]);
  const auto directory = options_.data_dir / "redis";
  const bool is_beside = socket_.parent_path() == options_.data_dir;
  const auto socket = is_beside ? fs::path("..") / socket_.filename() : socket_;
  const child_process::launch what{fs::absolute(options_.program).string(),
                                   server_arguments(socket), ends[1], lock.descriptor(),
                                   directory.string()};
  try {
    child_ = child_process(what);
  } catch (...) {
    close(ends[1]);
    throw;
  }
  close(ends[1]);

  const auto first = co_await (wait_until_ready() || output_->relay());
  if (first.index() == 1) {
    co_await wait_for_end(options_.stop_timeout);
    throw failure(errc::unavailable, fmt::format("{} ended at its start ({}): {}", options_.program,
                                                 child_.ending(), output_->last_words()));
  }
  if (const auto& problem = std::get<0>(first); !problem.empty()) {
    child_.signal(SIGKILL);
    co_await wait_for_end(options_.stop_timeout);
    throw failure(errc::unavailable, problem);
  }
  output_->show_warnings(true);
  log::info("redis_started",
            {{"program", options_.program}, {"pid", child_.pid()}, {"socket", socket_.string()}});
}

// What went wrong, or nothing when the server is ready.
awaitable<std::string> embedded_server::wait_until_ready() {
  const auto begin = steady_clock::now();
  auto last_answer = begin;
  auto next_report = begin + progress_interval;
  while (true) {
    const auto found = co_await probe(socket_);
    if (found == probe_result::ready) co_return "";
    const auto now = steady_clock::now();
    if (found == probe_result::loading) last_answer = now;
    if (now - last_answer > options_.answer_timeout)
      co_return options_.program + " does not answer: " + output_->last_words();
    if (now - begin > options_.load_timeout)
      co_return options_.program + " takes too long to load its data: " + output_->last_words();
    if (now > next_report) {
      next_report = now + progress_interval;
      const auto passed = std::chrono::duration_cast<std::chrono::seconds>(now - begin);
      log::info("redis_loading",
                {{"seconds", passed.count()}, {"last_words", output_->last_words()}});
    }
    co_await pause(poll_interval);
  }
}

// Until the child has ended; kills it at the deadline.
awaitable<void> embedded_server::wait_for_end(std::chrono::milliseconds deadline) {
  const auto limit = steady_clock::now() + deadline;
  bool killed = false;
  while (child_.running()) {
    if (steady_clock::now() >= limit && !std::exchange(killed, true)) {
      log::warn("redis_killed", {{"pid", child_.pid()}});
      child_.signal(SIGKILL);
    }
    co_await pause(poll_interval);
  }
}

awaitable<void> embedded_server::run() {
  while (!stopping_) {
    co_await output_->relay();
    if (stopping_) break;
    co_await wait_for_end(options_.stop_timeout);
    log::error("redis_died", {{"ending", child_.ending()}, {"last_words", output_->last_words()}});
    co_await restart();
  }
}

awaitable<void> embedded_server::restart() {
  for (auto delay = restart_pause_first; !stopping_;
       delay = std::min(2 * delay, restart_pause_limit)) {
    co_await pause(delay);
    try {
      co_await launch();
      co_return;
    } catch (const failure& e) {
      log::error("redis_restart_failed", {{"error", e.what()}});
    }
  }
}

awaitable<void> embedded_server::stop() {
  stopping_ = true;
  if (output_) output_->show_warnings(false);
  child_.signal(SIGTERM);
  co_await wait_for_end(options_.stop_timeout);
  directory_lock_.reset();
}

}  // namespace skirmish::redis
