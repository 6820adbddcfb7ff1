// The WebSocket channel `positions`: who is in a part of the map, as it changes.
//
//   {"cid":"1","subscribe":{"channel":"positions","bbox":[2.2,48.8,2.5,48.9],"limit":2000}}
//   → {"cid":"1","subscribed":{"channel":"positions"}}, then at once and at most twice per second
//   {"event":{"channel":"positions","data":{"player_ids":[…],"lat":[…],"lon":[…],"age_s":[…],
//                                           "total":n,"is_partial":false}}}
//
// Conflated as `near:` is. What one round reads is bounded, whatever is subscribed to: boxes that
// it leaves out come first in the next one.
#pragma once

#include "core/event.hpp"
#include "positions/map.hpp"
#include "realtime/realtime.hpp"

#include <list>
#include <memory>
#include <string>

namespace skirmish::positions {

// Of one server thread.
class map_channel {
 public:
  static constexpr std::chrono::milliseconds interval{500};
  static constexpr std::size_t unsent_max_bytes = 64 << 10;  // of a reader who gets another push
  static constexpr std::int64_t points_per_round = 20'000;   // that are read for all subscribers
  static constexpr std::int64_t limit_default = 2'000;

  map_channel(asio::io_context& io, map_reader& map) : map_(map), joined_(io) {}

  // `positions` for realtime::gateway::on_channel().
  realtime::channel_kind kind();

  // Until cancelled.
  awaitable<void> run();

 private:
  struct subscriber {
    std::shared_ptr<realtime::connection> who;
    box part;
    std::int64_t limit = limit_default;
    std::chrono::steady_clock::time_point asked_at{};
    std::shared_ptr<const std::string> told;
  };
  awaitable<result<void>> join(realtime::connection& c, std::string channel,
                               const realtime::json::object& message);
  void leave(realtime::connection& c);
  awaitable<void> look();
  awaitable<std::shared_ptr<const std::string>> view(box part, std::int64_t limit);

  map_reader& map_;
  event joined_;
  std::list<subscriber> subscribers_;
};

}  // namespace skirmish::positions
