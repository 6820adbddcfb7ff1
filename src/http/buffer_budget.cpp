#include "http/buffer_budget.hpp"

#include <utility>

namespace skirmish::http {

buffer_budget::buffer_budget(metrics::registry& metrics, std::int64_t limit_bytes)
    : used_(
          &metrics.add_gauge("skirmish_http_buffer_bytes",
                             "Held by the buffers of all connections, in whole blocks of 4 KiB.")),
      refused_(&metrics.add_counter("skirmish_http_buffers_refused_total",
                                    "Requests and WebSockets refused because the buffers of all "
                                    "connections were over http.buffer_budget.")),
      limit_bytes_(limit_bytes) {}

buffer_share::buffer_share(buffer_share&& from) noexcept
    : budget_(from.budget_), blocks_(std::exchange(from.blocks_, 0)), standing_(from.standing_) {}

buffer_share::~buffer_share() { hold(0); }

// Threads that ask at the same moment may pass the limit together, by a block or two each.
bool buffer_share::change_to(std::int64_t blocks) noexcept {
  const auto more_bytes = (blocks - blocks_) * block_bytes;
  constexpr std::int64_t eighths[] = {4, 5, 8};  // by standing
  const auto limit_bytes = budget_.limit_bytes_ / 8 * eighths[static_cast<std::size_t>(standing_)];
  if (more_bytes > 0 && budget_.used_->value() + more_bytes > limit_bytes) {
    budget_.refused_->add();
    return false;
  }
  budget_.used_->add(more_bytes);
  blocks_ = blocks;
  return true;
}

}  // namespace skirmish::http
