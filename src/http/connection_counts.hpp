// How many connections each address has open, in the whole process. Thread-safe.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>

#include <cstdint>
#include <mutex>
#include <string>

namespace skirmish::http {

class connection_counts {
 public:
  // Counts one more connection unless the address has `limit` already.
  bool enter(const std::string& address, std::int64_t limit) {
    const std::lock_guard lock(mutex_);
    auto& count = counts_[address];
    if (count >= limit) return false;
    ++count;
    return true;
  }
  // Takes one back that enter() counted.
  void leave(const std::string& address) {
    const std::lock_guard lock(mutex_);
    const auto found = counts_.find(address);
    if (found != counts_.end() && --found->second == 0) counts_.erase(found);
  }

 private:
  std::mutex mutex_;
  boost::unordered_flat_map<std::string, std::int64_t> counts_;
};

}  // namespace skirmish::http
