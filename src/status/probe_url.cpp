#include "status/probe_url.hpp"

#include "core/url.hpp"

#include <algorithm>
#include <charconv>

namespace skirmish::status {
namespace {

struct scheme {
  std::string_view name;
  probe_kind kind;
  std::uint16_t port;  // 0: must be given
};

constexpr scheme schemes[] = {
    {"a2s", probe_kind::a2s, 27015},         {"minecraft", probe_kind::minecraft, 25565},
    {"bedrock", probe_kind::bedrock, 19132}, {"tcp", probe_kind::tcp, 0},
    {"http", probe_kind::http, 80},          {"https", probe_kind::https, 443}};

error bad(std::string message) { return {errc::invalid_argument, std::move(message)}; }

// What may stand in a host name or an address, so that nothing else reaches a request line.
bool is_host(std::string_view text) {
  return !text.empty() && text.size() <= 253 &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  c == '-' || c == '.' || c == '_' || c == ':' || c == '%';
         });
}

result<std::uint16_t> read_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (ec != std::errc{} || end != text.data() + text.size() || port == 0)
    return bad("the port of the probe URL must be 1 to 65535");
  return port;
}

}  // namespace

result<probe_target> parse_probe_url(std::string_view url) {
  const auto parts = split_url(url);
  const auto* found = std::find_if(std::begin(schemes), std::end(schemes),
                                   [&](const auto& s) { return parts && s.name == parts->scheme; });
  if (found == std::end(schemes))
    return bad(
        "a probe URL starts with a2s://, minecraft://, bedrock://, tcp://, http:// or https://");
  probe_target out{found->kind, {}, found->port, "/"};

  const auto path = parts->target;
  const bool takes_path = out.kind == probe_kind::http || out.kind == probe_kind::https;
  if (!takes_path && !path.empty() && path != "/")
    return bad("only http and https probe URLs have a path");
  if (std::any_of(path.begin(), path.end(),
                  [](unsigned char c) { return c <= ' ' || c >= 0x7F || c == '#'; }))
    return bad("the path of the probe URL has a character that must be percent-encoded");
  if (takes_path && !path.empty())
    out.path = path.front() == '/' ? std::string(path) : "/" + std::string(path);

  const auto host = split_host(parts->authority);
  if (!host) return bad("the probe URL is wrong: " + host.error().message);
  out.host = host->host;
  if (!is_host(out.host)) return bad("the host of the probe URL is missing or wrong");
  if (!host->port) {
    if (out.port == 0) return bad("a tcp probe URL needs a port");
    return out;
  }
  auto number = read_port(*host->port);
  if (!number) return number.error();
  out.port = *number;
  return out;
}

std::string authority(const probe_target& target) {
  const bool is_v6 = target.host.find(':') != std::string::npos;
  return (is_v6 ? "[" + target.host + "]" : target.host) + ":" + std::to_string(target.port);
}

}  // namespace skirmish::status
