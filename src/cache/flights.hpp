// Single flight: of all in the process who want the same key at the same time, one acts and all get
// its outcome. Thread-safe; each waiter goes on on its own thread.
#pragma once

#include "cache/near_cache_group.hpp"
#include "core/asio.hpp"
#include "core/event.hpp"
#include "skirmish/cache.hpp"

#include <array>
#include <chrono>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace skirmish::cache {

class flight {
 public:
  // Waits for the landing and returns its answer, or throws its problem. Throws `failure`
  // deadline_exceeded after `limit`.
  awaitable<cache::answer> landed(std::chrono::milliseconds limit);

 private:
  friend class flights;
  void land(cache::answer answer, std::exception_ptr problem);

  std::mutex mutex_;
  bool landed_ = false;
  cache::answer answer_;
  std::exception_ptr problem_;
  std::vector<std::shared_ptr<event>> waiting_;  // each of its waiter's thread
};

class flights {
 public:
  // The flight of `key`; `first` when the caller has to make it, and to land it in any case.
  struct joined {
    std::shared_ptr<cache::flight> flight;
    bool first;
  };
  joined join(const std::string& key);

  // Wakes all who wait and makes room for the next flight of the key.
  void land(const std::string& key, const std::shared_ptr<cache::flight>& flight,
            cache::answer answer, std::exception_ptr problem);

  // Later callers do not join the flights of today: what those read may be out of date.
  void forget(const std::string& key);
  void forget_prefix(std::string_view prefix);

  near_cache_group near_caches;  // of all stores that share these flights

 private:
  struct shard {
    std::mutex mutex;
    std::unordered_map<std::string, std::shared_ptr<cache::flight>> flights;
  };
  shard& shard_of(const std::string& key) {
    return shards_[std::hash<std::string>()(key) % shards_.size()];
  }
  std::array<shard, 64> shards_;
};

}  // namespace skirmish::cache
