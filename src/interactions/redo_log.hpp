// Commits that Redis has confirmed and may not have written to its append-only file yet.
//
// With `appendfsync everysec` Redis puts a write off for up to 2 s while a sync is under way, and
// answers all the same: killed then, it forgets what it has confirmed. So its commits are kept
// until it is known that they have left the process, and are sent again when it comes back without
// them. Source: flushAppendOnlyFile() in aof.c of Redis 7.0.
#pragma once

#include "interactions/batch.hpp"

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
    std::size_t bytes = 0;
  };

  void push(std::uint64_t number, commit_request request);
  // Forgets those up to `number`.
  void release(std::uint64_t number);
  void clear();

  // The one of that number; null when it is not there.
  [[nodiscard]] const entry* find(std::uint64_t number) const;
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
