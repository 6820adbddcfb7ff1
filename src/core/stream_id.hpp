// The id of an entry of a Redis stream: of a chat message, a notification, a commit. Clients give
// them back as cursors.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace skirmish {

struct stream_id {
  std::uint64_t ms = 0;  // since 1970
  std::uint64_t seq = 0;
  auto operator<=>(const stream_id&) const = default;
};

// "1700000000000-0", also without "-0". Neither part is above 2^63 - 1: every such id has a
// successor, so Redis takes it in any place.
std::optional<stream_id> parse_stream_id(std::string_view text) noexcept;
std::string to_string(stream_id id);

}  // namespace skirmish
