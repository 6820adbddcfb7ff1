// What a client counts, for metrics.
#pragma once

#include <atomic>
#include <cstdint>

namespace skirmish::redis {

// Written by the client's thread, readable by any.
struct client_stats {
  std::atomic<std::uint64_t> commands = 0;     // sent, whatever became of them
  std::atomic<std::uint64_t> failures = 0;     // exec calls that threw
  std::atomic<std::uint64_t> connections = 0;  // made; all but the first are reconnects
  std::atomic<std::uint64_t> in_flight = 0;    // requests without a reply so far
  std::atomic<std::uint64_t> in_flight_bytes = 0;
};

}  // namespace skirmish::redis
