// The one place where a world's tag gets in front of a key, and where an id becomes a part of one.
//
// No two things share a key, whatever their ids. An id has no '@' and no '%', but it may have ':'.
// So one id stands last, behind a fixed name ("player:<id>"), several are separated by '@'
// ("presence:<channel>@<player_id>"), and no fixed name goes on as another one with an id could.
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

// The id itself. Every value from outside becomes a part of a key through this: throws
// invalid_argument for what is no id.
inline std::string_view id_part(std::string_view id) {
  if (!is_valid_id(id)) throw failure(errc::invalid_argument, "this is no id");
  return id;
}

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

  // A name behind the world's tag: one of ours, or one that was made with id_part().
  [[nodiscard]] std::string key(std::string_view name) const {
    return std::string(prefix_).append(name);
  }

  // A fixed name and ids: key("player", id) is "player:<id>", key("presence", channel, player) is
  // "presence:<channel>@<player>". Throws invalid_argument unless all are ids.
  template <std::convertible_to<std::string_view>... Ids>
  [[nodiscard]] std::string key(std::string_view name, std::string_view id,
                                const Ids&... more) const {
    std::string joined;
    joined.reserve(prefix_.size() + name.size() + 1 + id.size() +
                   (0 + ... + (1 + std::string_view(more).size())));
    joined.append(prefix_).append(name).append(":").append(id_part(id));
    ((joined += '@', joined += id_part(more)), ...);
    return joined;
  }

  // "" or "{world}:".
  [[nodiscard]] const std::string& prefix() const noexcept { return prefix_; }

 private:
  explicit key_space(std::string prefix) : prefix_(std::move(prefix)) {}
  std::string prefix_;
};

}  // namespace skirmish::redis
