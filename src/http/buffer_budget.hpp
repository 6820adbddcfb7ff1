// One budget for the buffers of all connections of the process: what was read and not yet
// answered, and what waits to be sent. Who would exceed it is refused, so that no number of
// connections takes the memory of the machine.
#pragma once

#include "metrics/registry.hpp"

#include <cstddef>
#include <cstdint>

namespace skirmish::http {

// Cheap to copy: the sum is one gauge of the registry, which all server threads share and which
// must outlive every share.
class buffer_budget {
 public:
  buffer_budget(metrics::registry& metrics, std::int64_t limit_bytes);

 private:
  friend class buffer_share;
  metrics::gauge* used_;
  metrics::counter* refused_;
  std::int64_t limit_bytes_;
};

// What one connection holds. Whole blocks count, so that small buffers cost no atomic operation:
// below one block they are bounded by the number of connections.
class buffer_share {
 public:
  static constexpr std::int64_t block_bytes = 4096;

  explicit buffer_share(buffer_budget of) noexcept : budget_(of) {}
  buffer_share(buffer_share&& from) noexcept;
  buffer_share& operator=(buffer_share&&) = delete;
  ~buffer_share();

  // Of the budget, unknown callers may fill a half and known ones all, so that the first cannot
  // shut out the second. Health and metrics have an eighth more than unknown callers, because they
  // are needed most while those fill their half.
  enum class standing { unknown, operations, known };
  void trust(standing of) noexcept { standing_ = of; }

  // Says how much the connection's buffers hold now. False, and nothing changed, when it has grown
  // and the budget does not allow that.
  bool hold(std::size_t bytes) noexcept {
    const auto blocks = static_cast<std::int64_t>(bytes) / block_bytes;
    return blocks == blocks_ || change_to(blocks);
  }

 private:
  bool change_to(std::int64_t blocks) noexcept;

  buffer_budget budget_;
  std::int64_t blocks_ = 0;
  standing standing_ = standing::unknown;
};

}  // namespace skirmish::http
