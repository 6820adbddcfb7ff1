// ETags of versioned resources (RFC 9110 section 8.8.3): the version number in quotes.
#pragma once

#include "core/error.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace skirmish::http {

std::string etag_of(std::int64_t version);

// The form of an If-Match that parse_if_match() takes.
inline constexpr std::string_view if_match_pattern = R"re(^(\*|"-?[0-9]{1,18}")$)re";

// If-Match as a version: nothing when the header is absent or `*`, an error when it is not an ETag
// of ours.
result<std::optional<std::int64_t>> parse_if_match(std::string_view header);

}  // namespace skirmish::http
