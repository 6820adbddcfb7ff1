// The names of enumerators in settings, as Redis and the API have them.
#pragma once

#include "leaderboards/leaderboards.hpp"

#include <array>
#include <optional>
#include <string_view>

namespace skirmish::leaderboards {

inline constexpr std::array<std::string_view, 2> ordering_names{"desc", "asc"};
inline constexpr std::array<std::string_view, 4> operation_names{"best", "set", "increment",
                                                                 "decrement"};
inline constexpr std::array<std::string_view, 3> rank_mode_names{"ordinal", "competition", "dense"};

inline std::string_view to_string(ordering v) {
  return ordering_names.at(static_cast<std::size_t>(v));
}
inline std::string_view to_string(operation v) {
  return operation_names.at(static_cast<std::size_t>(v));
}
inline std::string_view to_string(rank_mode v) {
  return rank_mode_names.at(static_cast<std::size_t>(v));
}

// nullopt for a name that is none of them.
template <class Enum, std::size_t N>
std::optional<Enum> from_name(std::string_view name, const std::array<std::string_view, N>& names) {
  for (std::size_t i = 0; i < N; ++i)
    if (names[i] == name) return static_cast<Enum>(i);
  return std::nullopt;
}

}  // namespace skirmish::leaderboards
