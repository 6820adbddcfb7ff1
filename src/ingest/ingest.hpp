// Game-server logs as events: the formats, what is counted, and the streaming parser.
//
//   auto parser = make_parser(format::source, geo_origin{});
//   std::vector<log_event> events;
//   while (std::string_view chunk = read()) {
//     while (!chunk.empty()) {
//       chunk.remove_prefix(parser->feed(chunk, events));
//       send(events);
//     }
//   }
//   parser->finish(events);
//   send(events);
//
// The rules of each format stand in source_log.hpp, quake3_log.hpp and xonotic_log.hpp; frames and
// stream ids in frames.hpp.
#pragma once

#include "core/error.hpp"
#include "ingest/events.hpp"
#include "ingest/gps.hpp"
#include "ingest/recorder.hpp"
#include "ingest/server_boards.hpp"
#include "ingest/wire.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skirmish::ingest {

enum class format { source, quake3, xonotic };

// "source", "quake3" or "xonotic".
std::string_view to_string(format f) noexcept;

// The format of this name.
std::optional<format> parse_format(std::string_view name) noexcept;

// A longer line is counted as unknown and not looked at. What it holds is not kept in memory.
inline constexpr std::size_t line_limit_bytes = 8192;

// After so many events `feed` lets its caller deal with them first.
inline constexpr std::size_t feed_events_limit = 10'000;

// How much of a file's beginning `detect` wants to see.
inline constexpr std::size_t detect_bytes = 65'536;

// Reads one log from its beginning. Not thread-safe. Any bytes are accepted: what is not understood
// is counted, nothing throws but std::bad_alloc.
//
// Lines end with "\n", "\r\n" or "\r"; the last one needs no ending. Spaces and NUL bytes around a
// line, and a byte order mark before the first, are ignored.
class log_parser {
 public:
  virtual ~log_parser() = default;
  log_parser& operator=(const log_parser&) = delete;

  // Another one that has read the same. What is tried with it leaves this one as it is.
  [[nodiscard]] virtual std::unique_ptr<log_parser> clone() const = 0;

  // Reads lines from `bytes` and appends their events to `out`, in the order of the log; a line may
  // arrive in pieces. Gives the number of bytes it has read, which can be less than all: it stops
  // after the line that brings the events of this call to `feed_events_limit`. (A line gives up to
  // one event for each player seen so far, when a new round begins, so few bytes can give many
  // events.)
  std::size_t feed(std::string_view bytes, std::vector<log_event>& out);

  // The file is over: appends the events of a last line without an ending.
  void finish(std::vector<log_event>& out);

  // What was counted up to here.
  [[nodiscard]] const totals& counted() const noexcept { return record_.counted(); }

 protected:
  explicit log_parser(parser_options options) : record_(std::move(options)) {}
  log_parser(const log_parser&) = default;

  // One line without its ending and the spaces around it, never empty. Tells `record()` what
  // happened. False when the line is not understood.
  virtual bool parse(std::string_view line) = 0;

  recorder& record() noexcept { return record_; }

 private:
  void end_line(std::string_view line);

  recorder record_;
  std::string partial_;           // the beginning of a line whose end has not arrived
  bool partial_is_long_ = false;  // it passed the limit and is being skipped
  bool after_return_ = false;     // a "\n" that comes next belongs to the "\r" before it
};

std::unique_ptr<log_parser> make_parser(format f, parser_options options);

// The format of a log whose first `detect_bytes` (or all of it) are `head`: the one that
// understands more of its lines. invalid_argument when none understands any.
result<format> detect(std::string_view head);

}  // namespace skirmish::ingest
