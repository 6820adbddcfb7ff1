// What is acknowledged and not settled yet: attack records (attack_records.hpp) and activity
// (pending_activity.hpp) of all servers of the world.
#pragma once

#include "core/asio.hpp"
#include "core/clock.hpp"
#include "redis/client.hpp"
#include "redis/key_space.hpp"

#include <chrono>
#include <cstdint>
#include <optional>

namespace skirmish::interactions {

struct pending_writes {
  std::int64_t bytes = 0;
  // When the oldest was committed; nullopt when nothing is pending, or when an older version of the
  // program left it.
  std::optional<timestamp> oldest;
};

struct pending_state {
  pending_writes attacks;
  pending_writes activity;
  [[nodiscard]] std::int64_t bytes() const noexcept { return attacks.bytes + activity.bytes; }
  // Zero when nothing is pending.
  [[nodiscard]] std::chrono::milliseconds age(timestamp now) const;
};

std::chrono::milliseconds age_of(const pending_writes& what, timestamp now);

// Costs Redis some ten microseconds. Throws unavailable. The caller awaits.
awaitable<pending_state> read_pending_state(redis::client& redis, const redis::key_space& keys);

}  // namespace skirmish::interactions
