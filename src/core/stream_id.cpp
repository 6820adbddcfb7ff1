#include "core/stream_id.hpp"

#include "core/parse.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace skirmish {

std::optional<stream_id> parse_stream_id(std::string_view text) noexcept {
  const auto dash = std::min(text.find('-'), text.size());
  const auto ms = parse_natural(text.substr(0, dash));
  const auto seq =
      dash == text.size() ? std::optional<std::int64_t>(0) : parse_natural(text.substr(dash + 1));
  if (!ms || !seq) return std::nullopt;
  return stream_id{static_cast<std::uint64_t>(*ms), static_cast<std::uint64_t>(*seq)};
}

std::string to_string(stream_id id) { return fmt::format("{}-{}", id.ms, id.seq); }

}  // namespace skirmish
