// The words of settings, as they stand in Redis and in the API.
#pragma once

#include "leaderboards/leaderboards.hpp"

#include <array>
#include <optional>
#include <string_view>

namespace skirmish::leaderboards {

inline constexpr std::array<std::string_view, 2> ordering_words{"desc", "asc"};
inline constexpr std::array<std::string_view, 4> operation_words{"best", "set", "increment",
                                                                 "decrement"};
inline constexpr std::array<std::string_view, 3> rank_mode_words{"ordinal", "competition", "dense"};

inline std::string_view to_string(ordering v) {
  return ordering_words.at(static_cast<std::size_t>(v));
}
inline std::string_view to_string(operation v) {
  return operation_words.at(static_cast<std::size_t>(v));
}
inline std::string_view to_string(rank_mode v) {
  return rank_mode_words.at(static_cast<std::size_t>(v));
}

// Nothing for a word that is none of them.
template <class Enum, std::size_t N>
std::optional<Enum> from_word(std::string_view word, const std::array<std::string_view, N>& words) {
  for (std::size_t i = 0; i < N; ++i)
    if (words[i] == word) return static_cast<Enum>(i);
  return std::nullopt;
}

}  // namespace skirmish::leaderboards
