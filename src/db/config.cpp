#include "db/config.hpp"

#include "core/parse.hpp"
#include "core/url.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace skirmish::db {
namespace {

error invalid(std::string message) { return {errc::invalid_argument, std::move(message)}; }

// A NUL would end the value early inside the C client libraries.
std::optional<std::string> decode(std::string_view text) {
  auto out = percent_decode(text, false);
  if (out && out->find('\0') != std::string::npos) return std::nullopt;
  return out;
}

// What a value must not hold to be shown in a URL as it is.
std::string percent_encode(std::string_view text, std::string_view keep = "-._~") {
  std::string out;
  for (const unsigned char c : text) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (plain || keep.find(static_cast<char>(c)) != std::string_view::npos)
      out += static_cast<char>(c);
    else
      out += fmt::format("%{:02X}", c);
  }
  return out;
}

// Cuts `text` at the first `separator`: the part before it is returned and `text` keeps the rest.
std::string_view cut(std::string_view& text, std::string_view separators) {
  const auto at = std::min(text.find_first_of(separators), text.size());
  const auto before = text.substr(0, at);
  text.remove_prefix(at);
  return before;
}

std::optional<sql_kind> kind_of(std::string_view scheme) {
  if (scheme == "mysql" || scheme == "mariadb") return sql_kind::mysql;
  if (scheme == "postgresql" || scheme == "postgres") return sql_kind::postgresql;
  if (scheme == "sqlite") return sql_kind::sqlite;
  return std::nullopt;
}

result<void> read_user(std::string_view text, db::config& to) {
  const auto colon = std::min(text.find(':'), text.size());
  const auto user = decode(text.substr(0, colon));
  const auto password = decode(text.substr(std::min(colon + 1, text.size())));
  if (!user || !password)
    return invalid("the database URL's user or password is not percent-encoded correctly");
  to.user = *user;
  to.password = *password;
  return {};
}

result<void> read_host(std::string_view text, db::config& to) {
  const auto parts = split_host(text);
  if (!parts) return invalid("the database URL is wrong: " + parts.error().message);
  if (parts->is_bracketed) {
    to.host = parts->host;
  } else {
    const auto host = decode(parts->host);
    if (!host) return invalid("the database URL's host is not percent-encoded correctly");
    if (!host->empty()) to.host = *host;
  }
  const auto port = parts->port.value_or(std::string_view{});
  if (port.empty()) return {};
  const auto [end, ec] = std::from_chars(port.data(), port.data() + port.size(), to.port);
  if (ec != std::errc{} || end != port.data() + port.size() || to.port == 0)
    return invalid("the database URL's port is not a number from 1 to 65535");
  return {};
}

result<void> read_options(std::string_view text, db::config& to) {
  while (true) {
    auto option = cut(text, "&");
    const auto key = cut(option, "=");
    const auto value = decode(option.substr(std::min<std::size_t>(1, option.size())));
    if (key != "unix_socket")
      return invalid(
          fmt::format("the database URL's option '{}' is unknown; valid: unix_socket", key));
    if (!value || value->empty()) return invalid("the database URL's unix_socket is wrong");
    to.unix_socket = *value;
    if (text.empty()) return {};
    text.remove_prefix(1);  // '&'
  }
}

result<db::config> parse_sqlite(std::string_view rest) {
  if (rest.starts_with("//")) {
    rest.remove_prefix(2);
    if (!rest.starts_with('/'))
      return invalid("an SQLite URL has no host: write sqlite:///absolute/path or sqlite:relative");
  }
  const auto path = decode(rest);
  if (!path || path->empty()) return invalid("the database URL's path is missing or wrong");
  // SOCI's connection string cannot carry a quote.
  if (path->find('"') != std::string::npos)
    return invalid("the database URL's path must not contain a double quote");
  db::config config;
  config.path = *path;
  return config;
}

}  // namespace

std::string_view to_string(sql_kind kind) noexcept {
  switch (kind) {
    case sql_kind::sqlite: return "sqlite";
    case sql_kind::mysql: return "mysql";
    case sql_kind::postgresql: return "postgresql";
  }
  return "sqlite";
}

result<db::config> parse_database_url(std::string_view url) {
  auto rest = url;
  const auto kind = kind_of(cut(rest, ":"));
  if (!kind || rest.empty())
    return invalid(
        "the database URL must start with mysql://, mariadb://, postgresql:// or sqlite:");
  rest.remove_prefix(1);
  if (*kind == sql_kind::sqlite) return parse_sqlite(rest);
  if (!rest.starts_with("//")) return invalid("the database URL lacks '//' after its scheme");
  const auto parts = split_url(url).value();

  db::config config;
  config.kind = *kind;
  if (parts.user_info) {
    if (auto read = read_user(*parts.user_info, config); !read) return read.error();
  }
  if (auto read = read_host(parts.hosts, config); !read) return read.error();
  const auto name = decode(parts.path);
  if (!name || name->size() < 2 || name->find('/', 1) != std::string::npos)
    return invalid("the database URL lacks the database's name: scheme://user:password@host/name");
  config.name = name->substr(1);
  if (parts.query) {
    if (auto read = read_options(*parts.query, config); !read) return read.error();
  }
  return config;
}

std::string to_string(const db::config& config) {
  if (config.kind == sql_kind::sqlite)
    return (config.path.starts_with('/') ? "sqlite://" : "sqlite:") +
           percent_encode(config.path, "-._~/");
  auto url = fmt::format("{}://{}{}", to_string(config.kind), percent_encode(config.user),
                         config.password.empty() ? "" : ":***");
  if (!config.user.empty()) url += '@';
  if (config.unix_socket.empty()) {
    const bool is_ipv6 = config.host.find(':') != std::string::npos;
    url += is_ipv6 ? fmt::format("[{}]", config.host) : percent_encode(config.host);
    if (config.port != 0) url += fmt::format(":{}", config.port);
  }
  url += '/' + percent_encode(config.name);
  if (!config.unix_socket.empty())
    url += "?unix_socket=" + percent_encode(config.unix_socket, "-._~/");
  return url;
}

}  // namespace skirmish::db
