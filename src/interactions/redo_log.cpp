#include "interactions/redo_log.hpp"

#include <utility>

namespace skirmish::interactions {

void redo_log::push(std::uint64_t number, commit_request request,
                    std::chrono::steady_clock::time_point now) {
  entry e{number, std::move(request), now};
  for (const auto& a : e.request.arguments) e.bytes += a.size();
  bytes_ += e.bytes;
  entries_.push_back(std::move(e));
}

void redo_log::release(std::uint64_t number) {
  while (!entries_.empty() && entries_.front().number <= number) {
    bytes_ -= entries_.front().bytes;
    entries_.pop_front();
  }
}

void redo_log::clear() {
  entries_.clear();
  bytes_ = 0;
}

const redo_log::entry* redo_log::find(std::uint64_t number) const {
  if (entries_.empty() || number < entries_.front().number || number > entries_.back().number)
    return nullptr;
  return &entries_[static_cast<std::size_t>(number - entries_.front().number)];
}

void redo_log::renew(std::uint64_t number, std::chrono::steady_clock::time_point now) {
  if (!find(number)) return;
  entries_[static_cast<std::size_t>(number - entries_.front().number)].kept_at = now;
}

bool says_written(const std::string& info) {
  const auto has = [&](const char* line) { return info.find(line) != std::string::npos; };
  // No sync under way: what was put off is written before this answer was sent.
  return has("aof_enabled:0") || has("aof_pending_bio_fsync:0") || has("aof_buffer_length:0");
}

}  // namespace skirmish::interactions
