// How busy the world is, on the WebSocket channel `activity`: beside deaths and completions, which
// come one by one, the number of events that were committed, at most once a second:
// `{"type":"events","total":123456}`. Conflated: a total, of which a slow reader needs only the
// latest. While nobody subscribes, nothing is asked.
#pragma once

#include "core/asio.hpp"
#include "realtime/realtime.hpp"
#include "redis/client.hpp"
#include "redis/key_space.hpp"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <string>

namespace skirmish::activity {

// Of one server thread.
class pulse {
 public:
  static constexpr std::chrono::milliseconds interval{1'000};
  static constexpr std::size_t unsent_max_bytes = 16 << 10;  // of a reader who gets another total

  pulse(redis::client& redis, const redis::key_space& keys, realtime::gateway& gateway)
      : redis_(redis), keys_(keys), gateway_(gateway) {}

  // Until cancelled.
  awaitable<void> run();

 private:
  awaitable<void> tell();

  redis::client& redis_;
  const redis::key_space& keys_;
  realtime::gateway& gateway_;
  std::string told_;
};

}  // namespace skirmish::activity
