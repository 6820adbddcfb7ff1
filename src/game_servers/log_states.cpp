#include "game_servers/log_states.hpp"

#include <algorithm>
#include <utility>

namespace skirmish::game_servers {

std::string_view log_record::unfinished_at(std::uint64_t offset) const noexcept {
  for (const auto& line : unfinished)
    if (!line.text.empty() && line.offset == offset) return line.text;
  return {};
}

void log_record::keep_unfinished(std::uint64_t offset, std::string_view text) {
  if (unfinished[0].offset != offset) unfinished[1] = std::move(unfinished[0]);
  unfinished[0] = {offset, std::string(text)};
}

log_states::lease::~lease() {
  if (of_) of_->give_back(server_, std::move(state_));
}

std::optional<log_states::lease> log_states::take(const std::string& server) {
  const std::lock_guard lock(mutex_);
  auto found = entries_.find(server);
  if (found == entries_.end()) {
    if (entries_.size() >= limit_ && !make_room()) return std::nullopt;
    found = entries_.try_emplace(server).first;
  }
  if (std::exchange(found->second.is_taken, true)) return std::nullopt;
  return lease(*this, server, std::move(found->second.state));
}

bool log_states::make_room() {
  auto oldest = entries_.end();
  for (auto it = entries_.begin(); it != entries_.end(); ++it)
    if (!it->second.is_taken &&
        (oldest == entries_.end() || it->second.used_at < oldest->second.used_at))
      oldest = it;
  if (oldest == entries_.end()) return false;
  entries_.erase(oldest);
  return true;
}

void log_states::give_back(const std::string& server, log_state state) {
  const std::lock_guard lock(mutex_);
  auto& e = entries_.find(server)->second;
  e.state = std::move(state);
  e.is_taken = false;
  e.used_at = std::chrono::steady_clock::now();
}

}  // namespace skirmish::game_servers
