// A real Redis (or Valkey) server for tests, in a temporary directory of its own.
#pragma once

#include "redis/child_process.hpp"
#include "redis/url.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace skirmish::testing {

// A directory that is removed with its content.
class temp_dir {
 public:
  temp_dir();
  ~temp_dir();
  temp_dir(const temp_dir&) = delete;
  temp_dir& operator=(const temp_dir&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
};

struct server_options {
  std::string password = {};  // of the default user
  bool tcp = false;           // also listen on a free port of 127.0.0.1
  bool tls = false;           // also listen with TLS on one; see certificate_file()
  bool append_only = false;
  std::vector<std::string> arguments = {};  // more of them, as on redis-server's command line
};

// Listens on a Unix socket, always. Started (and answering) when constructed; killed when
// destroyed.
class redis_server {
 public:
  explicit redis_server(server_options options = {});

  [[nodiscard]] redis::connection_config config() const;  // by the Unix socket
  [[nodiscard]] std::string socket() const { return (dir_.path() / "redis.sock").string(); }
  [[nodiscard]] std::string url() const { return "unix://" + socket(); }
  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  [[nodiscard]] std::uint16_t tls_port() const noexcept { return tls_port_; }
  // Self-signed for "localhost"; it is its own authority.
  [[nodiscard]] std::string certificate_file() const { return (dir_.path() / "cert.pem").string(); }
  [[nodiscard]] const std::filesystem::path& dir() const noexcept { return dir_.path(); }

  void kill();    // SIGKILL, and waits for the end
  void freeze();  // SIGSTOP
  void thaw();    // SIGCONT
  // After kill(). Waits until it answers, be it that it is loading its data. `more` arguments count
  // for this time.
  void start(const std::vector<std::string>& more = {});
  void restart();  // kill() and start()
  // Sends a command past every client; it must be answered with OK.
  void tell(const std::string& command) const;
  // The same for a question: whether the answer, as it is on the wire, holds `text`.
  [[nodiscard]] bool says(const std::string& command, const std::string& text) const;

 private:
  temp_dir dir_;
  server_options options_;
  std::uint16_t port_ = 0;
  std::uint16_t tls_port_ = 0;
  redis::child_process process_;
};

// The one server that all tests of this binary share. Tests flush it and leave it running.
redis_server& shared_redis();

// True when something answers PING on the socket, be it with an error (a password is needed, data
// are being loaded).
bool answers(const std::string& unix_socket);
// A TCP port of 127.0.0.1 that was free a moment ago.
std::uint16_t free_port();

}  // namespace skirmish::testing
