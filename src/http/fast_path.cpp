#include "http/fast_path.hpp"

#include "http/request_head.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string>

namespace skirmish::http {
namespace {

constexpr std::size_t header_lines_max = 32;

struct character_table {
  std::array<bool, 256> token{};
  std::array<bool, 256> path{};
  constexpr character_table() {
    constexpr std::string_view signs = "!#$%&'*+-.^_`|~";
    for (int c = 0; c < 256; ++c) {
      const auto i = static_cast<std::size_t>(c);
      const bool is_alphanumeric =
          (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
      token[i] = is_alphanumeric || signs.find(static_cast<char>(c)) != std::string_view::npos;
      path[i] = is_alphanumeric || c == '/' || c == '.' || c == '-' || c == '_' || c == '~';
    }
  }
};
constexpr character_table characters;

bool all_of(std::string_view text, const std::array<bool, 256>& table) {
  return std::all_of(text.begin(), text.end(),
                     [&](char c) { return table[static_cast<unsigned char>(c)]; });
}

// Visible ASCII, spaces and tabs (RFC 9110, section 5.5, without the obsolete part). The loop has no early exit, so that the
// compiler can vectorize it.
bool is_field_value(std::string_view text) {
  bool is_valid = true;
  for (const char c : text) is_valid &= ((c >= ' ') & (c < 0x7F)) | (c == '\t');
  return is_valid;
}

// Lines that mean nothing here. Everything that is neither listed nor read below may have a meaning
// and is left to the ordinary path only when it changes how the request is framed or answered.
constexpr std::string_view decisive[] = {
    "content-length", "transfer-encoding", "expect", "upgrade", "te", "trailer", "connection"};
constexpr std::string_view conditional[] = {"if-none-match",       "if-modified-since", "if-match",
                                            "if-unmodified-since", "if-range",          "range"};

// `name` is a token, and `wanted` has lower-case letters and '-' only: setting bit 5 then folds the
// case, and makes no other character of a token equal. Written out, because this is asked two dozen
// times per request.
bool is_named(std::string_view name, std::string_view wanted) {
  if (name.size() != wanted.size()) return false;
  for (std::size_t i = 0; i < name.size(); ++i)
    if ((name[i] | 0x20) != wanted[i]) return false;
  return true;
}

// A visitor's requests name the same host again and again, and so do most visitors'.
bool is_valid_host_again(std::string_view host) {
  constexpr std::size_t kept_bytes = 255;
  thread_local std::string last;
  if (!last.empty() && host == last) return true;
  if (!is_valid_host(host)) return false;
  if (host.size() <= kept_bytes) last = host;
  return true;
}

template <std::size_t N>
bool is_one_of(std::string_view name, const std::string_view (&names)[N]) {
  return std::any_of(std::begin(names), std::end(names), [&](auto n) { return is_named(name, n); });
}

// False when the line makes the request one for the ordinary path.
bool take_line(std::string_view line, fast_request& out, int& hosts) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  const auto name = line.substr(0, colon);
  auto value = line.substr(colon + 1);
  if (!all_of(name, characters.token) || !is_field_value(value)) return false;
  while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
  if (is_one_of(name, decisive))
    return is_named(name, "connection") && equals_ignoring_case(value, "keep-alive");
  if (is_named(name, "host")) {
    ++hosts;
    if (!is_valid_host_again(value)) return false;
  }
  if (is_named(name, "accept-encoding")) {
    if (!out.accept_encoding.empty()) return false;
    out.accept_encoding = value;
  }
  out.has_origin = out.has_origin || is_named(name, "origin");
  out.is_conditional = out.is_conditional || is_one_of(name, conditional);
  return true;
}

}  // namespace

std::optional<fast_request> parse_fast_request(std::string_view received) {
  constexpr std::string_view method = "GET ";
  constexpr std::string_view version = " HTTP/1.1";
  if (!received.starts_with(method)) return std::nullopt;
  auto end = received.find("\r\n");
  if (end == std::string_view::npos) return std::nullopt;
  const auto line = received.substr(0, end);
  if (line.size() < method.size() + version.size() || !line.ends_with(version)) return std::nullopt;
  fast_request out;
  out.path = line.substr(method.size(), line.size() - method.size() - version.size());
  if (!out.path.starts_with('/') || !all_of(out.path, characters.path)) return std::nullopt;
  int hosts = 0;
  for (std::size_t lines = 0; lines <= header_lines_max; ++lines) {
    const auto start = end + 2;
    end = received.find("\r\n", start);
    if (end == std::string_view::npos) return std::nullopt;  // not whole yet
    if (end == start) {
      if (hosts != 1) return std::nullopt;
      out.size_bytes = end + 2;
      return out;
    }
    if (!take_line(received.substr(start, end - start), out, hosts)) return std::nullopt;
  }
  return std::nullopt;
}

void append_head(std::string& out, const response& r) {
  const auto to = std::back_inserter(out);
  fmt::format_to(to, "HTTP/1.1 {} {}\r\n", r.status, reason(r.status));
  if (!r.content_type.empty()) fmt::format_to(to, "Content-Type: {}\r\n", r.content_type);
  if (r.status != 204 && r.status != 304)
    fmt::format_to(to, "Content-Length: {}\r\n", r.bytes().size());
  for (const auto& [name, value] : r.headers) fmt::format_to(to, "{}: {}\r\n", name, value);
}

frozen_response freeze(const response& r) {
  frozen_response out;
  out.status = r.status;
  append_head(out.head, r);
  out.body = r.shared_body ? r.shared_body : std::make_shared<const std::string>(r.body);
  return out;
}

}  // namespace skirmish::http
