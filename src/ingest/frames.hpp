// What a replay sends, so that a second try sends the same: the stream's id and its numbered
// frames.
#pragma once

#include "core/digest.hpp"
#include "ingest/ingest.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace skirmish::ingest {

// Raised when the rules of a format change: the same file then gives other events.
inline constexpr int mapping_version = 2;

// Where one frame ends and the next begins. Changing it changes the frames, so it is a part of the
// stream's id.
struct frame_limits {
  std::size_t events = 250;
  // A frame holds no more of the log's time than this, so that a replay at the match's speed moves
  // smoothly.
  std::chrono::milliseconds span{1000};
};

// The id of the stream that a file makes: format, '-', and 48 hex digits of the SHA-256 over the
// mapping's version, the format, the origin, the server's name, the limits and every byte of the
// file. The same file replayed in the same way is the same stream; a file that has grown is another
// one.
class stream_id {
 public:
  stream_id(format f, const parser_options& options, frame_limits limits);
  void update(std::string_view bytes);
  // Of all bytes so far.
  [[nodiscard]] std::string finish() const;

 private:
  format format_;
  sha256 digest_;
};

struct frame {
  std::uint64_t seq = 1;             // without gaps
  std::chrono::milliseconds at{0};   // the log's time of its first event
  std::vector<player_seen> players;  // to be made true before the events are sent
  std::vector<level_seen> levels;    // likewise
  std::vector<event> events;  // stream events only; empty in a last frame that has nothing but
                              // facts (do not send it)
};

// Cuts the events of one log into frames. The same events give the same frames, however they were
// passed in.
class frame_builder {
 public:
  explicit frame_builder(frame_limits limits) : limits_(limits) {}

  // Takes the events and leaves `events` empty; appends the frames that are complete to `out`.
  void add(std::vector<log_event>& events, std::vector<frame>& out);

  // Appends what was added as a frame, if it has events; facts without any wait for the next.
  void flush(std::vector<frame>& out);

  // The log is over: appends the last frame, if there is one.
  void finish(std::vector<frame>& out);

 private:
  void close(std::vector<frame>& out);

  frame_limits limits_;
  frame open_;
};

}  // namespace skirmish::ingest
