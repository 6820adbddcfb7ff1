#include "cache/counters.hpp"

namespace skirmish::cache {

named_cache::counters::counters(metrics::registry& registry, const std::string& name)
    : hits(registry.add_counter("skirmish_cache_hits_total", "Answers from memory or Redis",
                                "cache=\"" + metrics::registry::label_value(name) + "\"")),
      near_hits(registry.add_counter("skirmish_cache_near_hits_total", "Answers from memory",
                                     "cache=\"" + metrics::registry::label_value(name) + "\"")),
      misses(registry.add_counter("skirmish_cache_misses_total", "Answers that took a load",
                                  "cache=\"" + metrics::registry::label_value(name) + "\"")),
      stale(registry.add_counter("skirmish_cache_stale_total", "Answers past their freshness",
                                 "cache=\"" + metrics::registry::label_value(name) + "\"")),
      loads(registry.add_counter("skirmish_cache_loads_total", "Questions to the source",
                                 "cache=\"" + metrics::registry::label_value(name) + "\"")),
      load_failures(registry.add_counter("skirmish_cache_load_failures_total", "Loads that threw",
                                         "cache=\"" + metrics::registry::label_value(name) + "\"")),
      discarded(registry.add_counter("skirmish_cache_discarded_loads_total",
                                     "Loads that an invalidation overtook",
                                     "cache=\"" + metrics::registry::label_value(name) + "\"")),
      waits(registry.add_counter("skirmish_cache_waits_total",
                                 "Callers that waited for another's load",
                                 "cache=\"" + metrics::registry::label_value(name) + "\"")),
      load_seconds(
          registry.add_histogram("skirmish_cache_load_seconds", "How long loads took",
                                 "cache=\"" + metrics::registry::label_value(name) + "\"")) {}

void named_cache::counters::count(cache::source from) noexcept {
  switch (from) {
    case cache::source::hit: hits.add(); break;
    case cache::source::miss: misses.add(); break;
    case cache::source::stale: stale.add(); break;
  }
}

void named_cache::counters::count_load(std::chrono::steady_clock::duration took) noexcept {
  const std::chrono::duration<double> seconds = took;
  loads.add();
  load_seconds.observe(seconds.count());
  load_cost_ += (seconds - load_cost_) * 0.2;
}

}  // namespace skirmish::cache
