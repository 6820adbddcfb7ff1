#include "redis/url.hpp"

#include "core/parse.hpp"
#include "core/url.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace skirmish::redis {
namespace {

constexpr std::uint16_t redis_port = 6379;
constexpr std::uint16_t sentinel_port = 26379;
constexpr std::size_t socket_path_limit_bytes = sizeof(sockaddr_un::sun_path) - 1;

error bad(std::string_view problem) {
  return {errc::invalid_argument, "Redis URL: " + std::string(problem)};
}

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number number{};
  const auto* end = text.data() + text.size();
  const auto [at, problem] = std::from_chars(text.data(), end, number);
  if (problem != std::errc{} || at != end) return std::nullopt;
  return number;
}

// Percent-decoding (RFC 3986, section 2.1); nothing when an escape is broken or yields a control
// character.
std::optional<std::string> decode(std::string_view text) {
  auto out = percent_decode(text, false);
  const auto is_control = [](unsigned char c) { return c < ' ' || c == 0x7F; };
  if (out && std::any_of(out->begin(), out->end(), is_control)) return std::nullopt;
  return out;
}

// Splits at the first `separator`; the second part is empty when there is none.
std::pair<std::string_view, std::string_view> split(std::string_view text, char separator) {
  const auto at = text.find(separator);
  if (at == std::string_view::npos) return {text, {}};
  return {text.substr(0, at), text.substr(at + 1)};
}

// "host", "host:port", "[ipv6]", "[ipv6]:port"; an empty host is the local one.
result<host_port> parse_address(std::string_view text, std::uint16_t default_port) {
  const auto parts = split_host(text);
  if (!parts) return bad(parts.error().message);
  host_port address{"127.0.0.1", default_port};
  if (!parts->host.empty()) {
    auto decoded = decode(parts->host);
    if (!decoded || decoded->find_first_of(" /@") != std::string::npos)
      return bad("the host has an invalid character or escape");
    address.host = std::move(*decoded);
  }
  if (parts->port) {
    const auto number = parse_number<std::uint16_t>(*parts->port);
    if (!number || *number == 0)
      return bad("the port is not a number from 1 to 65535 (is the password percent-encoded?)");
    address.port = *number;
  }
  return address;
}

result<unsigned> parse_database(std::string_view text) {
  const auto number = parse_number<unsigned>(text);
  if (!number || *number > 1'000'000)
    return bad("the database is not a number (is the password percent-encoded?)");
  return *number;
}

std::optional<bool> parse_flag(std::string_view text) {
  if (text == "true" || text == "True" || text == "1" || text == "yes") return true;
  if (text == "false" || text == "False" || text == "0" || text == "no") return false;
  return std::nullopt;
}

result<void> set_text(std::string& to, std::string_view encoded, std::string_view what) {
  auto decoded = decode(encoded);
  if (!decoded) return bad(fmt::format("the {} has an invalid character or escape", what));
  to = std::move(*decoded);
  return {};
}

result<void> set_user(connection_config& config, std::string_view userinfo) {
  const auto [user, password] = split(userinfo, ':');
  auto done = set_text(config.username, user, "user");
  return done ? set_text(config.password, password, "password") : done;
}

result<void> set_option(connection_config& config, std::string_view key, std::string_view text) {
  struct text_option {
    std::string_view key;
    std::string* target;
  };
  const std::array texts{
      text_option{"username", &config.username},
      text_option{"password", &config.password},
      text_option{"ssl_ca_certs", &config.tls.ca_file},
      text_option{"ssl_certfile", &config.tls.certificate_file},
      text_option{"ssl_keyfile", &config.tls.key_file},
      text_option{"master", &config.sentinel.master_name},
      text_option{"sentinel_username", &config.sentinel.username},
      text_option{"sentinel_password", &config.sentinel.password},
  };
  for (const auto& option : texts)
    if (option.key == key) return set_text(*option.target, text, option.key);
  if (key == "db") {
    const auto number = parse_database(text);
    if (!number) return number.error();
    config.database = *number;
    return {};
  }
  if (key == "ssl_cert_reqs") {
    const bool none = text == "none" || text == "CERT_NONE";
    if (!none && text != "required" && text != "CERT_REQUIRED")
      return bad("ssl_cert_reqs is neither required nor none");
    config.tls.verify_peer = !none;
    return {};
  }
  if (key == "ssl_check_hostname") {
    const auto flag = parse_flag(text);
    if (!flag) return bad("ssl_check_hostname is neither true nor false");
    config.tls.check_hostname = *flag;
    return {};
  }
  return bad(
      "an option behind '?' is unknown (known: db, username, password, ssl_ca_certs, ssl_certfile, "
      "ssl_keyfile, ssl_cert_reqs, ssl_check_hostname, master, sentinel_username, "
      "sentinel_password)");
}

result<void> set_options(connection_config& config, std::string_view query) {
  while (!query.empty()) {
    const auto [option, rest] = split(query, '&');
    query = rest;
    const auto [key, text] = split(option, '=');
    if (option.empty()) continue;
    auto done = set_option(config, key, text);
    if (!done) return done;
  }
  return {};
}

result<void> set_tcp(connection_config& config, std::string_view hosts, std::string_view path) {
  const auto address = parse_address(hosts, redis_port);
  if (!address) return address.error();
  config.address = *address;
  if (path.empty()) return {};
  const auto database = parse_database(path);
  if (!database) return database.error();
  config.database = *database;
  return {};
}

result<void> set_unix(connection_config& config, std::string_view hosts, std::string_view path) {
  if (!hosts.empty())
    return bad("a unix URL has no host: three slashes before the path (unix:///path/to.sock)");
  if (path.empty()) return bad("the path of the socket is missing");
  auto done = set_text(config.unix_socket, path, "path of the socket");
  if (done) config.unix_socket = fmt::format("/{}", config.unix_socket);
  if (config.unix_socket.size() > socket_path_limit_bytes)
    return bad("the path of the socket is too long for one (107 bytes at most)");
  return done;
}

result<void> set_sentinel(connection_config& config, std::string_view hosts,
                          std::string_view path) {
  while (!hosts.empty()) {
    const auto [host, rest] = split(hosts, ',');
    hosts = rest;
    const auto address = parse_address(host, sentinel_port);
    if (!address) return address.error();
    config.sentinel.addresses.push_back(*address);
  }
  if (config.sentinel.addresses.empty()) return bad("no Sentinel is named");
  const auto [master, database] = split(path, '/');
  if (!master.empty()) {
    auto done = set_text(config.sentinel.master_name, master, "master's name");
    if (!done) return done;
  }
  if (database.empty()) return {};
  const auto number = parse_database(database);
  if (!number) return number.error();
  config.database = *number;
  return {};
}

result<void> check(const connection_config& config) {
  if (!config.sentinel.addresses.empty() && config.sentinel.master_name.empty())
    return bad("the master's name is missing (redis-sentinel://host/name)");
  const auto& tls = config.tls;
  const bool any_tls = !tls.ca_file.empty() || !tls.certificate_file.empty() ||
                       !tls.key_file.empty() || !tls.verify_peer || !tls.check_hostname;
  if (any_tls && !tls.enabled) return bad("the ssl_ options need rediss://");
  if (config.tls.certificate_file.empty() != config.tls.key_file.empty())
    return bad("ssl_certfile and ssl_keyfile go together");
  return {};
}

}  // namespace

result<connection_config> parse_url(std::string_view url) {
  const auto parts = split_url(url);
  const auto scheme = parts ? parts->scheme : std::string_view{};
  if (scheme == "redis-cluster") return bad("redis-cluster:// is not supported yet");
  const bool is_sentinel = scheme == "redis-sentinel";
  const bool is_unix = scheme == "unix";
  if (scheme != "redis" && scheme != "rediss" && !is_unix && !is_sentinel)
    return bad("it must begin with redis://, rediss://, unix:// or redis-sentinel://");

  connection_config config;
  config.tls.enabled = scheme == "rediss";
  const auto hosts = parts->hosts;
  const auto path = parts->path.substr(parts->path.empty() ? 0 : 1);
  if (parts->user_info) {
    if (auto done = set_user(config, *parts->user_info); !done) return done.error();
  }
  auto done = is_unix       ? set_unix(config, hosts, path)
              : is_sentinel ? set_sentinel(config, hosts, path)
                            : set_tcp(config, hosts, path);
  if (done && parts->query) done = set_options(config, *parts->query);
  if (done) done = check(config);
  if (!done) return done.error();
  return config;
}

std::string to_string_masked(const connection_config& config) {
  // The user, too: in "redis://secret@host" the secret stands in the user's place.
  const auto* user = config.username.empty() && config.password.empty() ? "" : "***@";
  const auto address = [](const host_port& a) {
    const bool is_v6 = a.host.find(':') != std::string::npos;
    return fmt::format("{}{}{}:{}", is_v6 ? "[" : "", a.host, is_v6 ? "]" : "", a.port);
  };
  const auto database = [&config](std::string_view mark) {
    return config.database != 0 ? fmt::format("{}{}", mark, config.database) : std::string();
  };
  if (!config.unix_socket.empty())
    return fmt::format("unix://{}{}{}", user, config.unix_socket, database("?db="));
  if (config.sentinel.addresses.empty())
    return fmt::format("{}://{}{}{}", config.tls.enabled ? "rediss" : "redis", user,
                       address(config.address), database("/"));
  std::vector<std::string> sentinels;
  for (const auto& one : config.sentinel.addresses) sentinels.push_back(address(one));
  return fmt::format("redis-sentinel://{}{}/{}{}", user, fmt::join(sentinels, ","),
                     config.sentinel.master_name, database("/"));
}

}  // namespace skirmish::redis
