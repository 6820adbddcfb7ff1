// Recovery data: snapshots of what a game server would lose in a crash.
//
// A snapshot may name the frame of a stream (docs/api.md) up to which it is true. With the events
// behind its cursor in the log `interactions`, it is the whole truth.
#pragma once

#include "core/asio.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "redis/client.hpp"
#include "redis/damaged_keys.hpp"
#include "redis/key_space.hpp"
#include "state/state.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace skirmish::state {

inline constexpr std::size_t snapshot_max_bytes = 1 << 20;
inline constexpr std::int64_t frame_number_max = 999'999'999'999'999;  // Lua counts exactly

struct recovery_settings {
  std::int64_t snapshots = 5;                                  // kept per key
  std::int64_t keys_limit = 64;                                // per game server
  std::chrono::milliseconds ttl{std::chrono::hours{30 * 24}};  // after the last snapshot
};

// The frame of a stream up to which a snapshot is true.
struct stream_position {
  std::string stream;
  std::int64_t seq = 0;
};

struct snapshot {
  std::string id;  // a later one's is larger
  timestamp created_at;
  std::int64_t size_bytes = 0;
  bool is_json = true;
  std::optional<stream_position> position;
  // A place in the log with everything behind it that the stream committed after that frame. Empty:
  // the beginning of the log.
  std::string cursor;
};

class recovery {
 public:
  recovery(redis::client& redis, const redis::key_space& keys, recovery_settings s)
      : redis_(redis), keys_(keys), settings_(s) {}

  // The id and the cursor of the new snapshot. conflict when the stream has not committed that
  // frame, when there is a snapshot of a later one, or when the server has too many keys.
  struct stored {
    std::string id;
    std::string cursor;
  };
  awaitable<result<stored>> put(std::string server, std::string key, document value,
                                std::optional<stream_position> position);
  // The newest first.
  awaitable<result<std::vector<snapshot>>> list(std::string server, std::string key);
  // The one of that id, or the newest; not_found when there is none.
  struct found {
    snapshot about;
    std::string body;
  };
  awaitable<result<found>> get(std::string server, std::string key, std::optional<std::string> id);
  // Drops all snapshots of the key; not_found when there are none.
  awaitable<result<void>> remove(std::string server, std::string key);

 private:
  redis::client& redis_;
  const redis::key_space& keys_;
  recovery_settings settings_;
  redis::damaged_keys damaged_;
};

}  // namespace skirmish::state
