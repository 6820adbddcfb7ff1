// The server status in Redis: document, lease, lock, live interval and history.
//
// Every function throws `failure` when Redis does not answer.
#pragma once

#include "core/asio.hpp"
#include "redis/client.hpp"
#include "redis/key_space.hpp"
#include "redis/lease.hpp"
#include "status/document.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skirmish::status {

// One point of the history: the state after a refresh.
struct history_point {
  timestamp at{};
  bool is_online = false;
  std::optional<std::int64_t> players;
  std::optional<std::int64_t> max_players;
};

class store {
 public:
  store(redis::client& redis, redis::key_space keys);

  // Waits a moment for the first connection; a start does not take a Redis for down that is only
  // being connected to.
  awaitable<void> wait_connected(std::chrono::milliseconds deadline);

  struct polled {
    std::optional<std::string> document;  // as it stands there
    std::chrono::milliseconds ttl{0};     // of the document; 0 when it has none
    std::optional<std::string> interval;  // as it stands there
  };
  awaitable<polled> poll();

  // The live interval; nullopt removes it.
  awaitable<void> set_interval(std::optional<std::int64_t> seconds);

  // Writes the document and tells the channel. `ttl` counts from now.
  awaitable<void> write(const document& d, std::chrono::milliseconds ttl);
  // Replaces a document that is still there and keeps its TTL; false when it is not there.
  awaitable<bool> replace(const document& d);

  // True while this process leads; call it more often than lease_ttl.
  awaitable<bool> hold_lease();
  awaitable<void> release_lease();
  // True when this process may read the database now; then release_lock() follows.
  awaitable<bool> take_lock();
  awaitable<void> release_lock();
  awaitable<bool> is_locked();

  awaitable<void> append_history(const history_point& point, std::int64_t limit);
  // Oldest first, at most `limit` of the latest.
  awaitable<std::vector<history_point>> history(timestamp since, std::int64_t limit);

  // The documents of other game servers, in the order of `names`; nothing for one that is missing.
  awaitable<std::vector<std::optional<std::string>>> servers(const std::vector<std::string>& names);
  awaitable<void> write_server(std::string_view name, std::string document,
                               std::chrono::milliseconds ttl);
  awaitable<void> append_server_history(std::string_view name, const history_point& point,
                                        std::int64_t limit);
  awaitable<std::vector<history_point>> server_history(std::string_view name, timestamp since,
                                                       std::int64_t limit);

 private:
  awaitable<void> append(std::string key, history_point point, std::int64_t limit);
  awaitable<std::vector<history_point>> read(std::string key, timestamp since, std::int64_t limit);

  redis::client& redis_;
  redis::key_space keys_;
  redis::lease lease_;
  redis::lease lock_;  // its token; it is taken only when nobody has it, this process included
};

}  // namespace skirmish::status
