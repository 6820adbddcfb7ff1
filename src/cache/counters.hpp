// What is counted a cache, and how long its loads take.
#pragma once

#include "metrics/registry.hpp"
#include "skirmish/cache.hpp"

#include <chrono>
#include <string>

namespace skirmish::cache {

struct named_cache::counters {
  counters(metrics::registry& registry, const std::string& name);

  void count(cache::source from) noexcept;
  void count_load(std::chrono::steady_clock::duration took) noexcept;
  // An exponential average of this thread's loads: XFetch's delta.
  [[nodiscard]] std::chrono::duration<double> load_cost() const noexcept { return load_cost_; }

  metrics::counter& hits;
  metrics::counter& near_hits;  // the hits that came from memory
  metrics::counter& misses;
  metrics::counter& stale;
  metrics::counter& loads;
  metrics::counter& load_failures;
  metrics::counter& discarded;  // loads whose value was invalidated before it was stored
  metrics::counter& waits;      // callers that waited for the load of another
  metrics::histogram& load_seconds;

 private:
  std::chrono::duration<double> load_cost_{0.010};  // until one was measured
};

}  // namespace skirmish::cache
