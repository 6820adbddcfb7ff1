// The latest attack of each pair of players: attack:<attacker_id>:<target_id>, for 24 hours.
//
// A new key with an expiry is half of what an interaction costs Redis. So a commit that holds many
// attacks leaves their records pending, as lines of a list, from where they are flushed to their
// own keys (attack_flusher.hpp). Whoever asks here is told the latest either way: the list has an
// index, so that the text which holds a pair is found without reading the others.
#pragma once

#include "core/asio.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "redis/client.hpp"
#include "redis/key_space.hpp"

#include <cstdint>
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

 private:
  redis::client& redis_;
  const redis::key_space& keys_;
  const clock& clock_;
};

}  // namespace skirmish::interactions
