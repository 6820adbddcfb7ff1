// Events as Celery's monitors read them: written as raw JSON, collected, and sent as one
// `task-multi` message per worker cycle.
#pragma once

#include "tasks/protocol/envelope.hpp"
#include "tasks/protocol/message.hpp"
#include "tasks/protocol/wall_time.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace skirmish::tasks {

// Hours west of UTC, rounded down, as Python computes it from time.timezone (or altzone while DST
// holds).
int utc_offset_hours(wall_time at);

// The fields of a task-sent event, as raw JSON with a comma in front: of a new message, or of one
// that is sent again.
std::string sent_fields(const outgoing& m);
std::string sent_again_fields(const message& m, int retries, wall_time eta);

// Writes the events of one node: a worker or a client. Not thread-safe.
class event_writer {
 public:
  explicit event_writer(std::string node);

  void set_enabled(bool on) noexcept { enabled_ = on; }
  [[nodiscard]] bool enabled() const noexcept { return enabled_; }

  // The Lamport clock.
  std::uint64_t tick() noexcept { return ++clock_; }
  void witness(std::uint64_t other) noexcept { clock_ = std::max(clock_, other) + 1; }
  [[nodiscard]] std::uint64_t clock() const noexcept { return clock_; }

  // Task events. They do nothing while events are disabled.
  void sent(const outgoing& m);
  void sent(std::string_view fields);  // of sent_fields()
  void received(const message& m);
  void started(const message& m);
  void succeeded(const message& m, std::string_view result_repr, double runtime_s);
  void failed(std::string_view id, std::string_view exception_repr, std::string_view traceback);
  void retried(std::string_view id, std::string_view exception_repr, std::string_view traceback);
  void revoked(std::string_view id, bool terminated, int signum, bool expired);
  void rejected(std::string_view id, bool requeue);

  // The envelope of one event, sent by itself. `fields` is raw JSON with a comma in front, or
  // empty.
  std::string single(std::string_view type, std::string_view fields);

  // Takes the collected events as envelopes of at most `events_per_message` events each.
  static constexpr std::size_t events_per_message = 1000;
  std::vector<std::string> take_envelopes();
  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
  // Events that were dropped because too many were collected while Redis was away.
  [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_; }

  [[nodiscard]] const std::string& node() const noexcept { return node_; }
  // The header of event messages: {"hostname": node}.
  [[nodiscard]] const std::string& headers_json() const noexcept { return headers_json_; }

 private:
  bool begin(std::string_view type);
  bool begin(std::string_view type, std::string_view id);
  void end();
  void append_common(std::string& out, std::string_view type);

  std::string node_;
  std::string common_;  // hostname and pid, written once
  std::string headers_json_;
  bool enabled_ = false;
  std::uint64_t clock_ = 0;
  std::uint64_t dropped_ = 0;
  std::size_t count_ = 0;
  std::vector<std::string> full_;  // arrays without the closing bracket
  std::string current_;
  int offset_hours_ = 0;
  std::int64_t offset_valid_until_s_ = 0;
};

}  // namespace skirmish::tasks
