// Scopes: the groups of routes that an API key may use, within what its role may.
//
// A request that reads (GET) needs `read` or the scope of its route's group; one that changes
// something needs the group's. A key without scopes of its own has all of them.
#pragma once

#include "core/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace skirmish::http {

enum class scope : std::uint32_t {
  none = 0,  // of routes that only an operator without restrictions may use
  read = 1,
  events = 2,
  chat = 4,
  players = 8,
  state = 16,
  tasks = 32,
};

class scopes {
 public:
  // All of them, also those that are added later.
  scopes() = default;
  // "events,read"; empty: all. invalid_argument for what is no scope.
  static result<scopes> parse(std::string_view words);

  // Whether a request of a route, message or channel of `group` is allowed.
  [[nodiscard]] bool allow(scope group, bool reads) const noexcept;
  // Sorted, with commas between; empty for all.
  [[nodiscard]] std::string to_text() const;
  [[nodiscard]] bool are_all() const noexcept { return bits_ == all; }

 private:
  static constexpr std::uint32_t all = 0xFFFF'FFFF;
  std::uint32_t bits_ = all;
};

// The group that a route belongs to, by its pattern; none unless scope.cpp names one, so that a new
// route stays closed to keys with scopes until somebody decides.
scope scope_of(std::string_view pattern);

std::string_view to_string(scope s) noexcept;

}  // namespace skirmish::http
