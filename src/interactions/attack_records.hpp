// The latest attack of each pair of players: attack:<attacker_id>:<target_id>, for 24 hours.
//
// A new key with an expiry is half of what an interaction costs Redis. So a commit that holds many
// attacks leaves their records pending, as lines of a list, from where they are flushed to their
// own keys as soon as Redis has time. Whoever asks here is told the latest either way.
#pragma once

#include "core/asio.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "redis/client.hpp"
#include "redis/damaged_keys.hpp"
#include "redis/key_space.hpp"

#include <boost/asio/io_context.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace skirmish::interactions {

struct attack_record {
  std::string id;
  std::int64_t damage = 0;
  std::string ts;
};

class attack_records {
 public:
  attack_records(redis::client& redis, const redis::key_space& keys, const clock& time)
      : redis_(redis), keys_(keys), clock_(time) {}

  // not_found when the pair has had none in the last 24 hours. Throws unavailable.
  awaitable<result<attack_record>> latest(std::string attacker_id, std::string target_id);

  // Flushes some records; returns how many bytes are still pending. Throws unavailable.
  awaitable<std::int64_t> flush_some();

  // When the oldest record that is pending was committed; nullopt when none is. Throws unavailable.
  awaitable<std::optional<timestamp>> oldest_pending();

  // Flushes what is pending until cancelled, in at most a tenth of Redis' time.
  awaitable<void> run_flusher(asio::io_context& io);

 private:
  redis::client& redis_;
  const redis::key_space& keys_;
  const clock& clock_;
  std::size_t next_part_ = 0;
  redis::damaged_keys damaged_;
};

}  // namespace skirmish::interactions
