#include "cache/near_cache.hpp"

#include <utility>

namespace skirmish::cache {
namespace {

// List node, map node, shared content: what an entry costs besides its text.
constexpr std::size_t overhead_bytes = 200;

std::size_t size_of(const cache::content& content) {
  if (const auto* text = std::get_if<std::string>(&content)) return text->size();
  std::size_t sum = 0;
  for (const auto& [name, value] : std::get<cache::fields>(content))
    sum += 2 * sizeof(std::string) + name.size() + value.size();
  return sum;
}

}  // namespace

near_cache::reading::reading(near_cache& owner, std::string key)
    : owner_(owner), key_(std::move(key)) {
  auto& mark = owner_.being_read_[key_];
  if (!mark) mark = std::make_shared<bool>(true);
  valid_ = mark;
}

near_cache::reading::~reading() {
  // The map's and this one: no other reading of this generation goes on.
  if (!*valid_ || valid_.use_count() > 2) return;
  owner_.being_read_.erase(key_);
}

bool near_cache::reading::keep(entry read) {
  if (!*valid_) return false;
  owner_.put(key_, std::move(read));
  return true;
}

const near_cache::entry* near_cache::find(std::string_view key, timestamp now) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return nullptr;
  const auto at = found->second;
  if (at->kept.keep_until <= now) {
    erase(at);
    return nullptr;
  }
  order_.splice(order_.begin(), order_, at);
  return &at->kept;
}

void near_cache::put(std::string key, entry e) {
  if (const auto old = by_key_.find(key); old != by_key_.end()) erase(old->second);
  const auto bytes = overhead_bytes + key.size() + size_of(*e.value);
  if (bytes > limit_bytes_ || limit_entries_ == 0) return;
  while (bytes_ + bytes > limit_bytes_ || order_.size() >= limit_entries_)
    erase(std::prev(order_.end()));
  order_.push_front({std::move(key), std::move(e), bytes});
  by_key_.emplace(order_.front().key, order_.begin());
  bytes_ += bytes;
}

void near_cache::erase(std::list<node>::iterator at) {
  bytes_ -= at->bytes;
  by_key_.erase(at->key);
  order_.erase(at);
}

void near_cache::invalidate(std::string_view key) {
  if (const auto found = by_key_.find(key); found != by_key_.end()) erase(found->second);
  if (const auto read = being_read_.find(key); read != being_read_.end()) {
    *read->second = false;
    being_read_.erase(read);
  }
}

void near_cache::clear() {
  by_key_.clear();
  order_.clear();
  bytes_ = 0;
  for (auto& [key, valid] : being_read_) *valid = false;
  being_read_.clear();
}

}  // namespace skirmish::cache
