// The copies in memory of one thread: least recently used go first, and nothing stays that Redis
// said has changed.
//
// A reply and the push that makes it out of date can arrive in either order. So a read announces
// itself before it is sent, and its value is kept only if no push named the key meanwhile.
#pragma once

#include "core/clock.hpp"
#include "skirmish/cache.hpp"

#include <cstddef>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

namespace skirmish::cache {

class near_cache {
 public:
  struct entry {
    std::shared_ptr<const cache::content> value;
    timestamp keep_until;
    timestamp fresh_until;  // at or after keep_until
  };

  // While it lives, pushes for its key are noticed.
  class reading {
   public:
    reading(near_cache& owner, std::string key);
    ~reading();
    reading(const reading&) = delete;
    reading& operator=(const reading&) = delete;
    // Keeps what was read; false when it was invalidated meanwhile.
    bool keep(entry read);

   private:
    near_cache& owner_;
    std::string key_;
    std::shared_ptr<bool> valid_;  // shared with other readings of the key
  };

  near_cache(std::size_t limit_entries, std::size_t limit_bytes)
      : limit_entries_(limit_entries), limit_bytes_(limit_bytes) {}

  // Null when there is none (any more). Good until the next call.
  const entry* find(std::string_view key, timestamp now);
  void invalidate(std::string_view key);
  void clear();  // everything, and everything being read

  [[nodiscard]] std::size_t size() const noexcept { return order_.size(); }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

 private:
  struct node {
    std::string key;
    entry kept;
    std::size_t bytes;
  };
  struct hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>()(text);
    }
  };
  void put(std::string key, entry e);
  void erase(std::list<node>::iterator at);

  std::size_t limit_entries_;
  std::size_t limit_bytes_;
  std::size_t bytes_ = 0;
  std::list<node> order_;  // most recently used first
  std::unordered_map<std::string_view, std::list<node>::iterator> by_key_;  // views of node::key
  std::unordered_map<std::string, std::shared_ptr<bool>, hash, std::equal_to<>> being_read_;
};

}  // namespace skirmish::cache
