// Lists with commas between their items, as headers and settings have them ("a, b,c").
#pragma once

#include <algorithm>
#include <string_view>
#include <vector>

namespace skirmish {

// Without the spaces and tabs around it.
inline std::string_view trimmed(std::string_view text) noexcept {
  constexpr std::string_view blanks = " \t";
  const auto first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

// Cuts the first item off, which may be empty, and returns it trimmed.
inline std::string_view take_item(std::string_view& list) noexcept {
  const auto end = std::min(list.find(','), list.size());
  const auto item = trimmed(list.substr(0, end));
  list.remove_prefix(std::min(end + 1, list.size()));
  return item;
}

// All items, trimmed; empty ones are left out. They are views into `list`.
inline std::vector<std::string_view> items_of(std::string_view list) {
  std::vector<std::string_view> out;
  while (!list.empty())
    if (const auto item = take_item(list); !item.empty()) out.push_back(item);
  return out;
}

}  // namespace skirmish
