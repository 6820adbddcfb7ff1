// Content coding and conditional requests, as far as this server needs them.
#pragma once

#include <string>
#include <string_view>

namespace skirmish::http {

std::string gzip(std::string_view text);
// What gzip() was given. Throws std::runtime_error for anything else than one whole gzip member.
std::string gunzip(std::string_view packed);

// True when an Accept-Encoding field takes gzip (RFC 9110, section 12.5.3).
bool accepts_gzip(std::string_view accept_encoding);

// True when an If-None-Match field names this ETag or is `*` (weak comparison, RFC 9110, section
// 13.1.2). False for an empty field.
bool matches_etag(std::string_view if_none_match, std::string_view etag);

}  // namespace skirmish::http
