// Keys that hold something else than we would store there, because somebody wrote to them. Whoever
// meets one goes on without it, and says so once a minute.
#pragma once

#include "core/error.hpp"
#include "redis/value.hpp"

#include <fmt/format.h>

#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace skirmish::redis {

// True for the error reply to a command that does not fit the type of its key.
inline bool is_wrong_type(const value& reply) noexcept {
  return reply.is_error() && reply.as_string().starts_with("WRONGTYPE");
}

// What a caller is told whose request needs the key.
inline error damaged_key(std::string_view key) {
  return {errc::conflict,
          fmt::format("{} in Redis holds something else; an operator must remove it", key)};
}

// The same when it is one of several.
inline error damaged_key(const std::vector<std::string_view>& keys) {
  std::string names;
  for (const auto key : keys) names.append(names.empty() ? "" : ", ").append(key);
  return {
      errc::conflict,
      fmt::format("one of {} in Redis holds something else; an operator must remove it", names)};
}

// Replies to a pipeline with nil in place of those; other errors as checked() has them.
inline std::vector<value> without_damaged(std::vector<value> replies) {
  for (auto& reply : replies)
    if (is_wrong_type(reply)) reply = value();
  return checked(std::move(replies));
}

class damaged_keys {
 public:
  // Logs the key, unless it was logged in the last minute or too many were.
  void report(const std::string& key);
  // The same for each of a list, as the scripts return them (attempt.lua).
  void report(const value& keys) {
    for (const auto& key : keys.elements()) report(key.as_string());
  }

 private:
  std::map<std::string, std::chrono::steady_clock::time_point> reported_;
};

}  // namespace skirmish::redis
