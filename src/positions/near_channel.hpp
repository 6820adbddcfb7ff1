// The WebSocket channel `near:<player_id>`: who is near a player, as it changes.
//
//   {"cid":"1","subscribe":{"channel":"near:ann","radius_m":500,"limit":20}}
//   → {"cid":"1","subscribed":{"channel":"near:ann"}}, then at once and after each change
//   {"event":{"channel":"near:ann","data":{"position":{…}|null,"players":[…]}}}
//
// Conflated: at most four pushes a second, each the whole truth at its time, and none while a slow
// reader has still to take what it was sent; it gets the latest when it has. While nobody
// subscribes, nothing is asked.
#pragma once

#include "core/event.hpp"
#include "positions/positions.hpp"
#include "realtime/realtime.hpp"

#include <list>
#include <memory>
#include <string>

namespace skirmish::positions {

// Of one server thread.
class near_channel {
 public:
  static constexpr std::chrono::milliseconds interval{250};
  static constexpr std::size_t unsent_max_bytes = 16 << 10;  // of a reader who gets another push
  static constexpr std::size_t players_max = 4'096;          // watched on one thread

  near_channel(asio::io_context& io, service& positions) : positions_(positions), joined_(io) {}

  // `near:` for realtime::gateway::on_channel().
  realtime::channel_kind kind();

  // Until cancelled.
  awaitable<void> run();

 private:
  struct subscriber {
    std::shared_ptr<realtime::connection> who;
    std::string channel;
    std::string player_id;
    std::int64_t radius_m = 1'000;
    std::int64_t limit = 50;
    std::chrono::steady_clock::time_point asked_at{};
    std::shared_ptr<const std::string> told;
  };
  awaitable<result<void>> join(realtime::connection& c, std::string channel,
                               const realtime::json::object& message);
  void leave(realtime::connection& c, const std::string& channel);
  awaitable<void> look();
  awaitable<std::shared_ptr<const std::string>> view(std::string channel, std::string player_id,
                                                     std::int64_t radius_m, std::int64_t limit);

  service& positions_;
  event joined_;
  std::list<subscriber> subscribers_;
};

}  // namespace skirmish::positions
