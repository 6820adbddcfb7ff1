// Who is on which chat channel, across connections, server threads and servers.
//
// Redis hears of the first and the last connection of a player on this thread, and again while it
// lasts; joins and leaves are published on `presence:<channel>`. A server that died is forgotten
// after `presence_ttl`.
#pragma once

#include "core/asio.hpp"
#include "core/clock.hpp"
#include "redis/client.hpp"
#include "redis/key_space.hpp"

#include <chrono>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace skirmish::chat {

inline constexpr std::chrono::seconds presence_ttl{60};

class presence {
 public:
  presence(redis::client& redis, const redis::key_space& keys, const clock& time);

  // Throw failure when Redis cannot be told; run() makes it good later.
  awaitable<void> join(std::string channel, std::string player_id);
  awaitable<void> leave(std::string channel, std::string player_id);

  // The players on a channel, in the order of their ids, at most `limit`.
  awaitable<std::vector<std::string>> on(std::string channel, std::size_t limit);

  // Renews what this thread knows until cancelled; give it to a task_group.
  awaitable<void> run();
  // Takes leave of all. For the end of the server.
  awaitable<void> leave_all();

 private:
  awaitable<void> renew();
  awaitable<void> tell(std::string verb, std::string channel, std::vector<std::string> players);

  redis::client& redis_;
  const redis::key_space& keys_;
  const clock& clock_;
  std::string node_;
  std::map<std::string, std::map<std::string, std::size_t>>
      here_;  // channel → player → connections
};

}  // namespace skirmish::chat
