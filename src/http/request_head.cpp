#include "http/request_head.hpp"

#include "core/comma_list.hpp"
#include "core/url.hpp"

#include <algorithm>
#include <array>

namespace skirmish::http {
namespace {

using table = std::array<bool, 256>;

constexpr bool is_alphanumeric(int c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// Visible ASCII but what RFC 3986 allows nowhere and no browser sends unescaped.
constexpr table target_characters = [] {
  table out{};
  for (std::size_t c = 0x21; c < 0x7F; ++c)
    out[c] = std::string_view("\"<>#").find(static_cast<char>(c)) == std::string_view::npos;
  return out;
}();

// Of a registered name or an IPv4 address (RFC 3986, section 3.2.2).
constexpr table host_characters = [] {
  table out{};
  for (int c = 0; c < 256; ++c)
    out[static_cast<std::size_t>(c)] =
        is_alphanumeric(c) ||
        std::string_view("-._~%!$&'()*+,;=").find(static_cast<char>(c)) != std::string_view::npos;
  return out;
}();

bool all_of(std::string_view text, const table& allowed) {
  return std::all_of(text.begin(), text.end(),
                     [&](char c) { return allowed[static_cast<unsigned char>(c)]; });
}

bool is_ipv6_character(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':' ||
         c == '.';
}

// Calls `test` with each element of a comma-separated list until it is true.
template <class Test>
bool any_element(std::string_view list, Test test) {
  while (!list.empty())
    if (test(take_item(list))) return true;
  return false;
}

refusal bad(std::string message, int status = 400) {
  return {status, {errc::invalid_argument, std::move(message)}};
}

// The authority of a target in absolute form, which is cut off; empty for another form.
std::string_view take_authority(std::string_view& target) {
  if (target.starts_with('/')) return {};
  const auto parts = split_url(target);
  if (!parts || (!equals_ignoring_case(parts->scheme, "http") &&
                 !equals_ignoring_case(parts->scheme, "https")))
    return {};
  target = parts->target;
  return parts->authority;
}

std::optional<refusal> check_target(request& r, std::string_view target, bool was_absolute) {
  const bool is_server = target == "*" && r.method == verb::options && !was_absolute;
  const bool is_path = target.starts_with('/') || (was_absolute && !target.starts_with('*'));
  if ((!is_path && !is_server) || !all_of(target, target_characters))
    return bad("the target of a request is a path, percent-encoded");
  const auto question = std::min(target.find('?'), target.size());
  r.path = question == 0 ? std::string_view("/") : target.substr(0, question);
  r.query = question < target.size() ? target.substr(question + 1) : std::string_view{};
  return std::nullopt;
}

// "https://example.com:443" is "example.com" in Host.
std::string_view authority_of_origin(std::string_view origin) {
  const std::string_view default_port = origin.starts_with("https://") ? ":443" : ":80";
  const auto parts = split_url(origin);
  if (!parts || !parts->target.empty()) return {};
  auto out = parts->authority;
  if (out.ends_with(default_port)) out.remove_suffix(default_port.size());
  return out;
}

}  // namespace

bool lists_token(const fields& headers, std::string_view name, std::string_view token) noexcept {
  return std::any_of(headers.begin(), headers.end(), [&](const auto& h) {
    return h.first == name &&
           any_element(h.second, [&](auto e) { return equals_ignoring_case(e, token); });
  });
}

std::size_t count_fields(const fields& headers, std::string_view name) noexcept {
  return static_cast<std::size_t>(std::count_if(headers.begin(), headers.end(),
                                                [&](const auto& h) { return h.first == name; }));
}

bool is_valid_host(std::string_view host) noexcept {
  std::string_view port;
  if (host.starts_with('[')) {
    const auto end = host.find(']');
    if (end == std::string_view::npos || end < 3) return false;
    const auto address = host.substr(1, end - 1);
    if (!std::all_of(address.begin(), address.end(), is_ipv6_character)) return false;
    port = host.substr(end + 1);
  } else {
    const auto colon = std::min(host.find(':'), host.size());
    if (colon == 0 || !all_of(host.substr(0, colon), host_characters)) return false;
    port = host.substr(colon);
  }
  if (port.empty()) return true;
  return port.front() == ':' && port.size() <= 6 &&
         std::all_of(port.begin() + 1, port.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::optional<refusal> check_head(request& r, std::string_view target) {
  const auto hosts = count_fields(r.headers, "host");
  if (hosts > 1 || (hosts == 0 && r.version_minor > 0)) return bad("send exactly one Host");
  if (hosts == 1 && !is_valid_host(r.header("host"))) return bad("Host is not a host");
  const auto before = target.size();
  const auto authority = take_authority(target);
  const bool was_absolute = target.size() != before;
  if (was_absolute && !is_valid_host(authority)) return bad("the target's host is not a host");
  if (auto no = check_target(r, target, was_absolute)) return no;
  for (auto& [name, value] : r.headers) {
    if (name == "host" && was_absolute) value = authority;
    if (name == "transfer-encoding" && !equals_ignoring_case(trimmed(value), "chunked"))
      return bad("chunked is the only transfer coding that is understood here", 501);
  }
  return std::nullopt;
}

bool is_allowed_origin(const request& r, std::string_view allowed) noexcept {
  if (count_fields(r.headers, "origin") == 0) return true;
  const auto origin = r.header("origin");
  const auto page = authority_of_origin(origin);
  auto own = r.header("host");
  const std::string_view default_port = origin.starts_with("https://") ? ":443" : ":80";
  if (own.ends_with(default_port)) own.remove_suffix(default_port.size());
  if (!page.empty() && equals_ignoring_case(page, own)) return true;
  return any_element(allowed,
                     [&](auto one) { return !one.empty() && equals_ignoring_case(one, origin); });
}

bool has_credential(const request& r) noexcept {
  return !r.header("x-api-key").empty() || !r.header("authorization").empty() ||
         r.header("cookie").find(console_cookie) != std::string_view::npos;
}

}  // namespace skirmish::http
