// What RFC 9110 and 9112 ask of the head of a request beyond what Beast checks: pure functions.
#pragma once

#include "http/message.hpp"

#include <algorithm>
#include <optional>
#include <string_view>

namespace skirmish::http {

// How a request is refused that could not be understood.
struct refusal {
  int status = 400;
  error why;
};

// ASCII only. Inline, because the fast path asks it of every header line.
inline bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept {
  const auto lower = [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  };
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [&](char x, char y) { return lower(x) == lower(y); });
}

// True when a field `name` lists `token` (both in lower case), whatever the case and however many
// such fields there are (RFC 9110, section 5.6.1).
bool lists_token(const fields& headers, std::string_view name, std::string_view token) noexcept;

// How many fields of that (lower-case) name there are.
std::size_t count_fields(const fields& headers, std::string_view name) noexcept;

// `uri-host [":" port]` (RFC 9110, section 7.2) with a host that is not empty.
bool is_valid_host(std::string_view host) noexcept;

// Checks target, Host and Transfer-Encoding; `r.headers` and `r.version_minor` must be filled. Sets
// path and query, and replaces Host by the authority of a target in absolute form (RFC 9112,
// section 3.2.2).
std::optional<refusal> check_head(request& r, std::string_view target);

// True when the page that sent the request (its Origin, RFC 6454) is of this server, or of one of
// the comma-separated origins `allowed`. True too without an Origin: then it was no page.
bool is_allowed_origin(const request& r, std::string_view allowed) noexcept;

// The cookie by which the console's pages say who they are (console/console_sessions.hpp).
inline constexpr std::string_view console_cookie = "skirmish_console";

// True when the request carries a key, a token or the console's cookie, good or bad.
bool has_credential(const request& r) noexcept;

}  // namespace skirmish::http
