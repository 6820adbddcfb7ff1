#include "redis/damaged_keys.hpp"

#include "core/log.hpp"

namespace skirmish::redis {
namespace {

constexpr std::chrono::minutes quiet{1};
constexpr std::size_t limit = 1'000;  // keys per minute

}  // namespace

void damaged_keys::report(const std::string& key) {
  const auto now = std::chrono::steady_clock::now();
  if (reported_.size() >= limit)
    std::erase_if(reported_, [&](const auto& known) { return now - known.second >= quiet; });
  const auto found = reported_.find(key);
  if (found == reported_.end() ? reported_.size() >= limit : now - found->second < quiet) return;
  reported_.insert_or_assign(key, now);
  log::error("key_damaged", {{"key", key}});
}

}  // namespace skirmish::redis
