// The start of an HTTP answer, as far as the HTTP probe needs it.
#pragma once

#include "core/error.hpp"

#include <optional>
#include <string_view>

namespace skirmish::status {

// What the probe reads at most while it waits for the first line.
inline constexpr std::size_t http_answer_limit_bytes = 4096;

// The status (100 to 599) in the first line of `received` (RFC 9112, section 4). Nothing: more
// bytes are needed.
result<std::optional<int>> parse_http_status(std::string_view received);

}  // namespace skirmish::status
