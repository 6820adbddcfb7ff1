// The one place where a world's tag gets in front of a key.
//
// The default world has no tag, so its keys are exactly those of the documentation. World `w` has
// `{w}:`, a Cluster hash tag: all keys of a world share one slot, so that scripts and transactions
// stay atomic.
#pragma once

#include "core/error.hpp"
#include "core/ids.hpp"

#include <concepts>
#include <string>
#include <string_view>

namespace skirmish::redis {

class key_space {
 public:
  key_space() = default;  // the default world

  // `world` is an id (core/ids.hpp), or empty for the default world.
  static result<key_space> of_world(std::string_view world) {
    if (world.empty()) return key_space();
    if (!is_valid_id(world))
      return error{errc::invalid_argument, "a world id is 1 to 64 of A-Z a-z 0-9 _ . : -"};
    return key_space("{" + std::string(world) + "}:");
  }

  // The parts joined by ':' behind the world's tag: key("attack", a, b) is "attack:a:b".
  template <std::convertible_to<std::string_view>... Parts>
  [[nodiscard]] std::string key(std::string_view first, const Parts&... rest) const {
    std::string joined;
    joined.reserve(prefix_.size() + first.size() + (0 + ... + (1 + std::string_view(rest).size())));
    joined.append(prefix_).append(first);
    ((joined += ':', joined += std::string_view(rest)), ...);
    return joined;
  }

  // "" or "{world}:".
  [[nodiscard]] const std::string& prefix() const noexcept { return prefix_; }

 private:
  explicit key_space(std::string prefix) : prefix_(std::move(prefix)) {}
  std::string prefix_;
};

}  // namespace skirmish::redis
