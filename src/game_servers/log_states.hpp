// What is known of each game server that sends its log by HTTP, for all threads of this process.
#pragma once

#include "ingest/ingest.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace skirmish::game_servers {

// The beginning of a line whose end has not come.
struct unfinished_line {
  std::uint64_t offset = 0;  // of its first byte, in the server's log
  std::string text;          // empty: there is none
};

// Which stream a server's log is, and what that stream cannot hold. Kept in Redis (log_key), and
// there before what it describes is committed.
struct log_record {
  std::string token;   // of the game server's process: another one is another log
  std::string stream;  // empty: nothing is known
  std::string head;    // its first bytes, when they were seen: other ones are another log
  // The newest unfinished line and the one before: the one at the offset that is committed counts.
  std::array<unfinished_line, 2> unfinished;

  [[nodiscard]] std::string_view unfinished_at(std::uint64_t offset) const noexcept;
  void keep_unfinished(std::uint64_t offset, std::string_view text);
};

// What nothing is lost without: who plays, and with how many hit points.
struct log_state {
  std::string stream;                              // what the parser reads
  std::unique_ptr<ingest::log_parser> parser;      // null when nothing was read here
  std::uint64_t parsed_to = 0;                     // the offset up to which it has read
  std::chrono::steady_clock::time_point saved_at;  // when the record was written last
  bool has_warned = false;                         // of offsets that do not fit the body
};

// Bounded: who was not heard of for longest makes room. Thread-safe.
class log_states {
 public:
  explicit log_states(std::size_t limit) : limit_(limit) {}

  // The state of one server, which nobody else has meanwhile.
  class lease {
   public:
    lease(log_states& of, std::string server, log_state state)
        : of_(&of), server_(std::move(server)), state_(std::move(state)) {}
    ~lease();
    lease(lease&& other) noexcept
        : of_(std::exchange(other.of_, nullptr)),
          server_(std::move(other.server_)),
          state_(std::move(other.state_)) {}
    lease& operator=(lease&&) = delete;

    log_state* operator->() noexcept { return &state_; }
    log_state& operator*() noexcept { return state_; }

   private:
    log_states* of_;
    std::string server_;
    log_state state_;
  };

  // Nothing when somebody has it, or all states are in use.
  std::optional<lease> take(const std::string& server);

 private:
  struct entry {
    log_state state;
    bool is_taken = false;
    std::chrono::steady_clock::time_point used_at;
  };
  bool make_room();
  void give_back(const std::string& server, log_state state);

  std::size_t limit_;
  std::mutex mutex_;
  std::map<std::string, entry, std::less<>> entries_;
};

}  // namespace skirmish::game_servers
