// Messages held in Redis (the hash `unacked`): reading one, and giving some back.
#pragma once

#include "redis/client.hpp"
#include "tasks/tasks_keys.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skirmish::tasks {

struct held_message {
  std::string envelope;
  std::string queue;
};

// Reads [envelope, exchange, routing key]; nullopt when it is damaged.
std::optional<held_message> read_held(std::string_view payload);

// Calls put_back.lua with `args` (tag, how, list, message; …), a bounded part at a time.
awaitable<void> put_back(redis::client& redis, const key_names& keys,
                         const std::vector<std::string>& args);

}  // namespace skirmish::tasks
