// Which record each pair may hold when a load has ended: the latest of its attacks, or one of
// several that were under way at the same time.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>

#include <cstdint>
#include <vector>

namespace skirmish::cli {

class attack_expectations {
 public:
  // Of the frame that held an attack.
  struct place {
    std::uint32_t sender = 0;
    std::uint64_t seq = 0;
  };

  // An attack is about to be sent. Those of its pair that `is_acknowledged` are superseded by it.
  template <class Test>
  void add(std::uint32_t attacker, std::uint32_t target, std::int64_t damage, place at,
           Test&& is_acknowledged) {
    auto& head = latest_[std::uint64_t{attacker} << 32 | target];
    std::uint32_t kept = 0;
    for (auto i = head; i != 0;) {
      auto& a = attacks_[i - 1];
      const auto next = a.next;
      if (is_acknowledged(a.at)) {
        a.next = free_;
        free_ = i;
      } else {
        a.next = kept;
        kept = i;
      }
      i = next;
    }
    auto fresh = free_;
    if (fresh == 0) {
      attacks_.emplace_back();
      fresh = static_cast<std::uint32_t>(attacks_.size());
    } else {
      free_ = attacks_[fresh - 1].next;
    }
    attacks_[fresh - 1] = {damage, at, kept};
    head = fresh;
  }

  struct pair {
    std::uint32_t attacker = 0;
    std::uint32_t target = 0;
    std::uint32_t first = 0;
  };
  [[nodiscard]] std::vector<pair> pairs() const {
    std::vector<pair> out;
    out.reserve(latest_.size());
    for (const auto& [key, first] : latest_)
      out.push_back(
          {static_cast<std::uint32_t>(key >> 32), static_cast<std::uint32_t>(key), first});
    return out;
  }
  [[nodiscard]] bool may_hold(const pair& p, std::int64_t damage) const {
    for (auto i = p.first; i != 0; i = attacks_[i - 1].next)
      if (attacks_[i - 1].damage == damage) return true;
    return false;
  }

 private:
  struct attack {
    std::int64_t damage = 0;
    place at;
    std::uint32_t next = 0;  // 1 is the first of attacks_; 0: none
  };
  boost::unordered_flat_map<std::uint64_t, std::uint32_t> latest_;  // pair → newest in attacks_
  std::vector<attack> attacks_;
  std::uint32_t free_ = 0;
};

}  // namespace skirmish::cli
