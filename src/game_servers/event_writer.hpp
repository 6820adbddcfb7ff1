// Writes what a live log says: makes its players and levels exist, then commits its events.
#pragma once

#include "core/asio.hpp"
#include "core/clock.hpp"
#include "ingest/ingest.hpp"
#include "interactions/interactions.hpp"
#include "metrics/registry.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace skirmish::game_servers {

// What lines of a log become: facts, and the events that rest on them.
struct log_block {
  std::vector<ingest::player_seen> players;
  std::vector<ingest::level_seen> levels;
  std::vector<ingest::event> events;

  // Takes the events and leaves `from` empty.
  void add(std::vector<ingest::log_event>& from);
};

// How players and levels are made unless they are there. Both throw failure.
using maker = std::function<awaitable<void>(std::string id, std::string name)>;

struct written {
  std::size_t events = 0;    // applied now
  std::size_t rejected = 0;  // refused one by one
  bool is_repeated = false;  // the stream had this block already
};

class event_writer {
 public:
  event_writer(interactions::engine& engine, const clock& time, maker player, maker level,
               skirmish::chat::channel_rules chats, metrics::registry& metrics);

  // Writes the block as one frame, at its place in a stream if it has one. conflict when the frame
  // is not the next one of its stream, or another connection has claimed it. Throws failure when it
  // is not known to be written: then the same may be written again at the same place.
  awaitable<result<written>> write(const log_block& block,
                                   std::optional<interactions::stream_position> place);

  [[nodiscard]] interactions::engine& engine() noexcept { return engine_; }

 private:
  awaitable<void> make(const maker& how, const char* what, std::string id, std::string name);

  interactions::engine& engine_;
  const clock& clock_;
  maker make_player_;
  maker make_level_;
  skirmish::chat::channel_rules chats_;
  metrics::counter& events_;
  metrics::counter& rejected_;
};

}  // namespace skirmish::game_servers
