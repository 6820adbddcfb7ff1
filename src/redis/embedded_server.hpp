// The Redis (or Valkey) that Skirmish starts for itself when it is told of no other.
//
// A child process in `<data_dir>/redis` with the append-only file on, listening on a Unix socket
// that only this user can open. It is started again when it dies, stopped with us, and its data
// stay.
//
// Two locks keep a data directory to one owner. `<data_dir>/lock` is held by the process that owns
// the directory: a second one is refused. `<data_dir>/redis.lock` is held by the child alone: when
// its parent was killed, the kernel tells it to end, and the next owner waits for that (and at last
// kills it) before it starts another on the same files.
#pragma once

#include "core/asio.hpp"
#include "redis/child_process.hpp"
#include "redis/file_lock.hpp"
#include "redis/server_output.hpp"
#include "redis/url.hpp"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace skirmish::redis {

struct embedded_options {
  std::filesystem::path data_dir;
  std::string program = {};  // empty: valkey-server, else redis-server
  std::chrono::milliseconds answer_timeout{
      30'000};  // a starting server silent for so long has failed
  std::chrono::milliseconds load_timeout{3'600'000};  // how long it may load its data
  std::chrono::milliseconds stop_timeout{10'000};     // then it is killed
  std::chrono::milliseconds leftover_grace{
      10'000};  // how long one of a killed owner may take to end
};

// Belongs to one io_context. start() and run() must be on a thread that lives as long as the
// process, best the main thread: Linux ends the child with the thread that started it.
class embedded_server {
 public:
  embedded_server(asio::io_context& io, embedded_options options);
  // Ends the child and gives up the directory.
  ~embedded_server();
  embedded_server(const embedded_server&) = delete;
  embedded_server& operator=(const embedded_server&) = delete;

  // Takes the directory, starts the server and waits until it answers with its data loaded. Throws
  // `failure`, with a text for the operator: conflict when the directory is in use, unavailable for
  // everything else.
  awaitable<void> start();
  // Watches the child and starts it again when it dies, until stop() or its cancellation. Give it
  // to a task_group after start().
  awaitable<void> run();
  // Asks the server to end (it saves its append-only file), and kills it when that takes too long.
  // A start() that still waits fails then.
  awaitable<void> stop();

  // How to reach it. Valid after the constructor.
  [[nodiscard]] connection_config config() const;
  [[nodiscard]] pid_t pid() const noexcept { return child_.pid(); }

 private:
  awaitable<void> launch();
  awaitable<file_lock> take_over();
  awaitable<std::string> wait_until_ready();
  awaitable<void> wait_for_end(std::chrono::milliseconds deadline);
  awaitable<void> restart();

  asio::io_context& io_;
  embedded_options options_;
  std::filesystem::path socket_;
  std::optional<file_lock> directory_lock_;
  std::unique_ptr<server_output> output_;  // of the current child
  child_process child_;
  bool stopping_ = false;
};

}  // namespace skirmish::redis
