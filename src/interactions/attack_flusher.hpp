// Moves pending attack records (attack_records.hpp) to their own keys.
//
// Once a second it goes round the parts: what is pending in some of them is read, the latest record
// of each pair is written by RESTORE, some records in one transaction, and the last transaction
// also takes off the lists what was read. So each record is either pending or under its key,
// whoever stops where.
//
// Two flushers may meet (redis/lease.hpp), and a transaction may reach Redis late, after its sender
// has given it up. So each one is made under WATCH of a number that grows when a flusher begins or
// has failed (attacks:fence): it writes only if nobody has begun since. WATCH belongs to a
// connection, so this needs one that nobody else uses for transactions.
#pragma once

#include "core/asio.hpp"
#include "core/clock.hpp"
#include "interactions/flush_pace.hpp"
#include "interactions/latest_attacks.hpp"
#include "redis/client.hpp"
#include "redis/key_space.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace skirmish::interactions {

class attack_flusher {
 public:
  // Runs on the client's thread.
  attack_flusher(redis::client& redis, const redis::key_space& keys, const clock& time);

  // Flushes what is pending now. Throws unavailable, and conflict when another flusher has begun.
  awaitable<void> flush_all();

  // Does so until cancelled; one of all servers does.
  awaitable<void> run();

 private:
  // Parts that are read together; behind the last comes the first.
  struct part_range {
    std::size_t first = 0;
    std::size_t count = 0;
    std::size_t texts = 0;  // of each, at most
  };
  struct part_texts {
    std::size_t part = 0;
    std::vector<std::string> texts;
    std::int64_t bytes = 0;
  };
  struct batch_of_parts {
    std::vector<part_texts> parts;
    bool may_be_more = false;  // in one of them
    [[nodiscard]] bool is_empty() const;
  };

  awaitable<void> begin();
  awaitable<bool> flush_once();
  awaitable<batch_of_parts> read(part_range range);
  // Reads `next` with the last transaction: each request waits for its turn.
  awaitable<std::optional<batch_of_parts>> flush(const batch_of_parts& batch,
                                                 std::optional<part_range> next);
  awaitable<std::optional<batch_of_parts>> write(std::span<const attack_line> records,
                                                 const batch_of_parts* taken,
                                                 std::optional<part_range> next);
  [[nodiscard]] part_range range_from(std::size_t first, std::size_t count) const;
  void append_read(redis::request& to, const part_range& range) const;
  batch_of_parts take_read(std::span<const redis::value> replies, const part_range& range);
  void append_watch(redis::request& to) const;
  void append_record(redis::request& to, const attack_line& record);
  void append_removal(redis::request& to, const batch_of_parts& taken) const;
  void check_watch(const redis::value& fence) const;
  void note_sizes(const batch_of_parts& batch, std::size_t records);
  [[nodiscard]] std::size_t parts_per_read() const;
  awaitable<void> pause_until(std::chrono::steady_clock::time_point when);

  redis::client& redis_;
  const redis::key_space& keys_;
  const clock& clock_;
  asio::steady_timer pause_;
  std::optional<std::int64_t> fence_;              // nullopt: begin() first
  std::uint64_t connection_ = 0;                   // on which that was
  bool restores_ = true;                           // the server takes our dumps
  std::chrono::milliseconds server_ahead_{};       // its clock, of ours
  std::chrono::milliseconds age_{};                // of the oldest that is pending
  flush_pace pace_{std::chrono::microseconds(4)};  // a record
  std::size_t next_part_ = 0;
  std::size_t parts_since_begin_ = 0;
  std::size_t texts_per_part_ = 64;
  std::size_t records_per_part_ = 0;  // of the last that were read
  std::string dump_;
  std::string name_;  // of the key that is written
};

}  // namespace skirmish::interactions
