#include "core/recent_warnings.hpp"

#include <algorithm>
#include <utility>

namespace skirmish::log {
namespace {

std::string message_of(fields values) {
  std::string out;
  for (const auto& f : values) {
    if (!out.empty()) out += ' ';
    out.append(f.key).append("=").append(quote(f.value));
    if (out.size() > recent_warnings::message_max_bytes) break;
  }
  if (out.size() > recent_warnings::message_max_bytes) {
    auto end = recent_warnings::message_max_bytes;
    // Not in the middle of a character.
    while (end > 0 && (static_cast<unsigned char>(out[end]) & 0xC0) == 0x80) --end;
    out.resize(end);
    out += "…";
  }
  return out;
}

}  // namespace

void recent_warnings::note(level at, std::string_view event, fields values, timestamp now) {
  const std::lock_guard lock(mutex_);
  auto found = events_.find(event);
  if (found == events_.end()) {
    if (events_.size() >= events_limit) drop_old(now);
    if (events_.size() >= events_limit) return;
    found = events_.emplace(event, recent_warning{}).first;
    found->second.event = event;
  }
  auto& w = found->second;
  if (w.count == 0 || now - w.last_at > kept) {
    w.first_at = now;
    w.count = 0;
  }
  w.at_level = at;
  // A flood is not spelled out.
  using std::chrono::floor;
  using std::chrono::seconds;
  if (w.count == 0 || floor<seconds>(now) != floor<seconds>(w.last_at))
    w.message = message_of(values);
  w.last_at = now;
  ++w.count;
}

std::vector<recent_warning> recent_warnings::list(timestamp now, std::size_t limit) {
  std::vector<recent_warning> out;
  {
    const std::lock_guard lock(mutex_);
    drop_old(now);
    for (const auto& [event, w] : events_) out.push_back(w);
  }
  std::ranges::stable_sort(out, std::ranges::greater{}, &recent_warning::last_at);
  if (out.size() > limit) out.resize(limit);
  return out;
}

void recent_warnings::drop_old(timestamp now) {
  std::erase_if(events_, [now](const auto& e) { return now - e.second.last_at > kept; });
}

recent_warnings& warnings_of_process() {
  static recent_warnings all;
  return all;
}

}  // namespace skirmish::log
