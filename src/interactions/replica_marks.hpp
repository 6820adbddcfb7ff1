// What the replicas of a Redis have of its commits, told from their offsets.
//
// Under load the newest commit never has reached them, so each look marks the place in the stream
// of replication up to which commits were confirmed; they are replicated as soon as enough replicas
// have acknowledged that place. Source: INFO in networking.c and WAIT in replication.c of Redis
// 7.0.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>
#include <vector>

namespace skirmish::interactions {

// What `INFO replication` says.
struct replication_state {
  std::int64_t offset = 0;             // of the master's stream
  std::vector<std::int64_t> replicas;  // what those that are online have acknowledged of it
};

// nullopt when it does not come from a master.
std::optional<replication_state> read_replication(std::string_view info);

class replica_marks {
 public:
  // `commit`: the number of the last one that had been confirmed when `state` was asked for.
  // Returns the number up to which at least `wanted` replicas have all commits, as far as it is
  // known; 0 when nothing is.
  std::uint64_t note(std::uint64_t commit, const replication_state& state, std::size_t wanted);
  // For another server: its offsets have nothing to do with these.
  void clear() noexcept { marks_.clear(); }

 private:
  static constexpr std::size_t marks_limit = 4'096;  // beyond that the newest is moved on

  struct mark {
    std::int64_t offset;
    std::uint64_t commit;
  };
  std::deque<mark> marks_;  // in the order of both
};

}  // namespace skirmish::interactions
