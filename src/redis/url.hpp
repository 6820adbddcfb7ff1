// Where a Redis server is and how to talk to it: the parsed form of REDIS_URL.
//
//   redis://[user[:password]@]host[:port][/db]         TCP; the user may be empty (":password@")
//   rediss://…                                         the same with TLS
//   unix:///path/to.sock[?db=N&password=…]             Unix socket; also unix://user:password@/path
//   redis-sentinel://[user:password@]host[:port][,host…]/master-name[/db]
//   redis-cluster://…                                  refused: not supported yet
//
// Every part is percent-decoded. Options after '?': db, username, password; for TLS, with the
// meaning that redis-py and Celery give them: ssl_ca_certs, ssl_certfile, ssl_keyfile,
// ssl_cert_reqs (required or none), ssl_check_hostname (true or false); for Sentinel: master
// (instead of the path), sentinel_username, sentinel_password.
#pragma once

#include "core/error.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace skirmish::redis {

struct host_port {
  std::string host;
  std::uint16_t port = 0;
  friend bool operator==(const host_port&, const host_port&) = default;
};

struct tls_config {
  bool enabled = false;
  std::string ca_file;           // PEM; empty: the system's authorities
  std::string certificate_file;  // PEM; for servers that ask for a client certificate
  std::string key_file;
  bool verify_peer = true;
  bool check_hostname = true;
};

struct sentinel_config {
  std::vector<host_port> addresses;  // empty: no Sentinel
  std::string master_name;
  std::string username;
  std::string password;
};

struct connection_config {
  // Where. A Unix socket, when given, wins over the address; Sentinels, when given, find the
  // address.
  host_port address{"127.0.0.1", 6379};
  std::string unix_socket;
  sentinel_config sentinel;
  tls_config tls;
  std::string username;
  std::string password;
  unsigned database = 0;

  // How long to wait, and how much may wait.
  std::chrono::milliseconds connect_timeout{2'000};  // each of: name resolution, connect, TLS
  std::chrono::milliseconds command_timeout{2'000};  // from the call to its reply
  std::chrono::milliseconds health_check_interval{
      1'000};  // a server that is silent for two of them is left
  std::size_t outstanding_limit_requests = 10'000;
  std::size_t outstanding_limit_bytes = std::size_t{64} * 1024 * 1024;
};

// A refused URL is an invalid_argument whose message names the wrong part. It never quotes the URL:
// a password with an unescaped '@' or '/' could stand anywhere in it.
result<connection_config> parse_url(std::string_view url);

// The URL again, with "***" for user and password. For logs.
std::string to_string_masked(const connection_config& config);

}  // namespace skirmish::redis
