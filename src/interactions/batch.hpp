// One commit in the making: frames gathered, their events aggregated per player, pair and board,
// and the arguments of commit.lua. Pure: it knows neither Redis nor time.
#pragma once

#include "game_settings.hpp"
#include "interactions/domain_events.hpp"
#include "interactions/events.hpp"
#include "interactions/flush_pace.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace skirmish::interactions {

struct rejection {
  std::size_t index = 0;  // in the frame as it was sent
  error why;
};

struct outcome {
  std::size_t accepted = 0;
  std::vector<rejection> rejected;
  // Set when nothing of the frame was applied, with the reason (unavailable, deadline_exceeded, or
  // conflict for a frame that does not follow the last committed one).
  std::optional<error> failed;
  bool duplicate = false;    // the stream had this frame already
  std::size_t repeated = 0;  // of `accepted`: left out because their id was known
  bool taken_over = false;   // `failed`, because another connection writes the stream now
};

// A frame of a numbered stream.
struct stream_position {
  std::string stream_id;
  std::uint64_t seq = 0;  // 1 is the first
  // Of the connection that sent it (stream_claim).
  std::int64_t claim = 0;
  std::string owner = {};
  // The number that must be committed now; absent: the one before `seq`. Streams whose numbers are
  // byte offsets leave numbers out.
  std::optional<std::uint64_t> after = std::nullopt;

  [[nodiscard]] std::uint64_t base() const noexcept { return after.value_or(seq - 1); }
};

struct frame {
  std::vector<event> events;
  std::vector<std::size_t> indices;  // of each event in the frame as it was sent
  std::vector<rejection> rejected;   // found while reading it
  std::optional<stream_position> position;
  std::function<void(outcome)> done;  // called once
  std::size_t repeated = 0;  // events left out because their id has been seen: accepted before
  bool duplicate = false;    // the batch holds this frame already
  bool has_completions = false;
};

// What commit.lua says does not hold.
struct amendment {
  std::map<std::string, std::uint64_t> streams;  // committed numbers
  std::set<std::string> unknown_players;
  std::set<std::string> seen_ids;  // event_key::name of events that were applied before
  std::set<std::string> unknown_levels;
  // Keys without the world's prefix (`player:<id>`, `leaderboard:<board>`) that hold something
  // else.
  std::set<std::string> damaged_keys = {};
  std::set<std::string> taken_streams = {};  // another connection writes them now
  std::set<std::string> claimed_ids = {};    // of those whose id stands for another event
};

struct commit_settings {
  std::string prefix;  // of every key
  std::int64_t actions_limit = 20;
  std::int64_t log_limit = 1'000'000;
  std::int64_t event_ids_limit = 1'000'000;
  std::chrono::seconds slice_length{60};  // of the 24-hour window
  // Spares Redis what can wait: renews the profiles that `refreshes_profile` names, not all, and
  // leaves attack records (attack_records.hpp) and activity (pending_activity.hpp) pending.
  bool leaves_pending = false;
  // Bytes of pending attack records from which on a commit is refused, and of pending activity from
  // which on it is counted at once all the same.
  std::int64_t attacks_pending_limit = pending_limit_bytes;
  std::int64_t activity_pending_limit = std::int64_t{1} << 28;
  // See fold_settings.
  std::function<bool(const std::string& player_id)> refreshes_profile;
  game_settings game;
};

// The arguments of commit.lua for a batch.
struct commit_request {
  std::vector<std::string> arguments;
  // The commit's number among them, which its writer fills in.
  [[nodiscard]] std::string& number() { return arguments[1]; }
  // It was confirmed before, and is sent again to a Redis that has lost it. `follows_gap`: one
  // before it is gone for good, so its streams may be further behind than it knows.
  void mark_as_redo(bool follows_gap) { arguments[21] = follows_gap ? "2" : "1"; }
  [[nodiscard]] bool empty() const noexcept { return arguments.empty(); }
};

class batch {
 public:
  // Frames and ids that the batch itself holds twice are applied once; a frame that leaves a gap in
  // its stream is answered with conflict, and so is one of a connection that another one in the
  // batch has taken the stream over from.
  explicit batch(std::vector<frame> frames);

  // Takes out what does not hold: duplicates of frames are answered, gaps and unknown players
  // rejected. Answers frames that are left with nothing to do.
  void amend(const amendment& a);

  // Folds the events into what commit.lua is told. `now` is the server's time.
  commit_request request(const commit_settings& settings, timestamp now);

  // Takes out what the commit did not apply: game events by their number (see domain_events.hpp),
  // and the scores of the last request() by their entry.
  void take_back(const std::vector<verdict_on_event>& verdicts,
                 const std::set<std::size_t>& refused_scores = {});

  // Answers every frame: committed, or failed as a whole.
  void succeed();
  void fail(const error& why);

  [[nodiscard]] bool empty() const noexcept { return frames_.empty(); }
  [[nodiscard]] std::size_t event_count() const noexcept;
  // Streams whose frames it was made of.
  [[nodiscard]] std::size_t stream_count() const noexcept { return stream_count_; }

 private:
  std::size_t put_streams_in_order();  // returns how many there are
  template <class Test>
  void take_out(Test&& test);  // test(frame&, event&) → the reason, an error with empty message for
                               // "seen", or nothing
  void answer_empty();

  std::vector<frame> frames_;
  std::size_t stream_count_ = 0;
  std::vector<std::size_t> score_entries_;  // see batch_fold
};

}  // namespace skirmish::interactions
