// The load of `skirmish bench interactions`: numbered frames over WebSockets, one thread, and what
// the world must look like when all of them are applied once.
#pragma once

#include "bench/attack_expectations.hpp"
#include "bench/chat_receivers.hpp"

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace skirmish::cli {

struct load_plan {
  std::int64_t connections = 50;
  std::int64_t players = 10'000;
  std::int64_t frame = 20;         // interactions per frame
  std::int64_t window = 64;        // frames on their way per connection in the closed loop
  double skew = 1.0;               // Zipf exponent of who acts and who is hit; 0: all alike
  std::int64_t moves = 0;          // per cent of the interactions
  std::int64_t trades = 0;         // per cent
  std::int64_t event_targets = 0;  // players who are the targets of a group event
  std::int64_t event_share = 90;   // per cent of the attacks that hit one of those
  bool keeps_records = false;      // expects each pair's latest attack
  std::int64_t rate = 0;           // interactions per second in the open loop; 0: closed loop
  std::uint64_t seed = 1;
};

std::string bench_player(std::size_t number);

// Draws player numbers; the lower the number, the more often.
class player_draw {
 public:
  player_draw(std::size_t players, double skew, std::uint64_t seed);
  std::uint32_t next() { return deck_[random_() & (deck_.size() - 1)]; }
  std::uint64_t random() { return random_(); }

 private:
  std::mt19937_64 random_;
  std::vector<std::uint32_t> deck_;  // of draws made beforehand
};

// What each player's state must add up to.
struct expectation {
  std::uint64_t interactions = 0;
  std::int64_t dealt = 0;
  std::int64_t taken = 0;
};

struct load_result {
  std::uint64_t acked = 0;  // interactions
  std::uint64_t unconfirmed = 0;
  std::uint64_t refused = 0;     // frames answered with an error, and sent again
  std::uint64_t reconnects = 0;  // after the first connection
  double seconds = 0;
  double p50_ms = 0;
  double p99_ms = 0;
  double p999_ms = 0;
  std::int64_t started_ns = 0;  // when the first frame was sent (now_ns)
  double confirmed_s = 0;       // from the first frame until the last was acknowledged
  std::uint64_t confirmed = 0;  // interactions acknowledged until then
  std::vector<expectation> expected;
  attack_expectations records;
};

class interaction_load {
 public:
  interaction_load(load_plan plan, server_address server, std::string api_key);
  ~interaction_load();

  // Sends for `duration` and waits (bounded) until everything is acknowledged. A lost connection is
  // opened again and goes on behind what the server has committed.
  load_result run(std::chrono::milliseconds duration);

 private:
  struct sender;
  struct sent_frame {
    std::uint64_t seq;
    std::int64_t due_ns;
    std::string bytes;
  };

  void connect(sender& s);
  void reconnect(sender& s);
  void generate(sender& s, std::int64_t due_ns);
  void append_event(const sender& of);
  std::uint32_t draw_target();
  void flush(sender& s);
  void take(sender& s, std::string_view message);
  void acknowledge(sender& s, std::uint64_t seq);
  void poll(int timeout_ms);
  [[nodiscard]] bool all_acknowledged() const;

  load_plan plan_;
  server_address server_;
  std::string key_;
  player_draw draw_;
  std::vector<std::string> names_;
  std::vector<std::unique_ptr<sender>> senders_;
  int epoll_;
  std::string text_;
  std::uint64_t trades_made_ = 0;
  std::int64_t now_ = 0;
  latencies times_;
  load_result result_;
};

}  // namespace skirmish::cli
