// The parts of a URL (RFC 3986, section 3), for those who read one kind of URL. Pure splitting:
// nothing is decoded (percent_decode() of core/parse.hpp does that) and no part is judged.
#pragma once

#include "core/error.hpp"

#include <optional>
#include <string_view>

namespace skirmish {

// Views of the text that was split.
struct url_parts {
  std::string_view scheme;
  std::string_view authority;                 // user and hosts
  std::optional<std::string_view> user_info;  // "user:password"; nullopt without an '@'
  std::string_view hosts;                     // the rest of the authority: one host, or a list
  std::string_view target;                    // path and query, as a request line has them
  std::string_view path;                      // with its '/'; empty when there is none
  std::optional<std::string_view> query;      // without its '?'
};

// Splits "scheme://user:password@host/path?query"; nullopt without "://". The authority ends at the
// first '/' or '?'. Its last '@' ends the user part, so a password with a bare '@' is understood as
// it was meant. A '#' is a character like any other: these URLs have no fragments.
std::optional<url_parts> split_url(std::string_view url) noexcept;

struct host_parts {
  std::string_view host;                 // an IPv6 address without its brackets; may be empty
  std::optional<std::string_view> port;  // what stands behind the ':', perhaps nothing
  bool is_bracketed = false;
};

// Splits "host", "host:port", "[ipv6]" and "[ipv6]:port". The error's message names what is wrong
// with the brackets and quotes nothing.
result<host_parts> split_host(std::string_view text);

}  // namespace skirmish
