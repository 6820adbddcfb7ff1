// Commits that Redis has confirmed and could still lose: they may not be in its append-only file
// yet, or not with as many replicas as `redis.replicas_acked` asks for.
//
// With `appendfsync everysec` Redis puts a write off for up to 2 s while a sync is under way, and
// answers all the same: killed then, it forgets what it has confirmed. Replicas are behind it by
// nature: one that becomes the master lacks what had not reached it. So commits are kept until it
// is known that they have left the process and reached the replicas, and are sent again to a Redis
// that lacks them. Source: flushAppendOnlyFile() in aof.c of Redis 7.0.
#pragma once

#include "interactions/batch.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

namespace skirmish::interactions {

class redo_log {
 public:
  struct entry {
    std::uint64_t number = 0;
    commit_request request;
    std::chrono::steady_clock::time_point kept_at;  // when Redis confirmed it
    std::size_t bytes = 0;
  };

  // `number` follows that of the last one, if there is one.
  void push(std::uint64_t number, commit_request request,
            std::chrono::steady_clock::time_point now);
  // Forgets those up to `number`.
  void release(std::uint64_t number);
  void clear();

  // The one of that number; null when it is not there.
  [[nodiscard]] const entry* find(std::uint64_t number) const;
  // Redis has confirmed it anew.
  void renew(std::uint64_t number, std::chrono::steady_clock::time_point now);
  // Null when there is none.
  [[nodiscard]] const entry* oldest() const { return empty() ? nullptr : &entries_.front(); }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] bool empty() const noexcept { return entries_.empty(); }

 private:
  std::deque<entry> entries_;  // in the order of their numbers
  std::size_t bytes_ = 0;
};

// Whether what `INFO persistence` answers says that everything confirmed before is out of the
// process's own memory, or that nothing ever will be (no append-only file).
bool says_written(const std::string& info);

}  // namespace skirmish::interactions
