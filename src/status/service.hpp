// The status as readers get it: one a server thread.
#pragma once

#include "config.hpp"
#include "core/clock.hpp"
#include "http/exchange.hpp"
#include "http/fast_path.hpp"
#include "metrics/registry.hpp"
#include "status/worker.hpp"

#include <memory>
#include <string>
#include <vector>

namespace skirmish::status {

// The body of /server/status for a view of a certain age, with its `_cache`.
std::string render(const view& seen, std::int64_t age_s);

// {status: ok|stale|error, age_seconds}: `stale` when the document is older than twice the interval
// or comes from nowhere but memory, `error` when nothing is known.
http::response health(const view_board& board, const clock& time);

class service {
 public:
  service(worker& source, const config& settings, const clock& time, metrics::registry& metrics);

  awaitable<http::response> status(http::exchange& x);
  awaitable<http::response> debug();
  awaitable<http::response> health();
  awaitable<http::response> refresh();
  awaitable<http::response> history(http::exchange& x);
  awaitable<http::response> badge(http::exchange& x);
  // What browsers ask before they read from another site with If-None-Match.
  http::response preflight(const http::exchange& x) const;

  // The answer to the plainest reads, when it lies ready.
  const http::frozen_response* fast(const http::fast_request& asked);

 private:
  struct ready {  // all that is made of a view, once a second at most
    std::shared_ptr<const view> of;
    std::int64_t age_s = -1;
    std::string etag;
    http::response plain;
    http::response gzip;
    http::frozen_response frozen_plain;
    http::frozen_response frozen_gzip;
  };
  struct points {
    std::vector<history_point> list;
    std::chrono::steady_clock::time_point read_at{};
    bool is_known = false;
  };

  awaitable<void> make_sure();
  const ready* current(std::chrono::steady_clock::time_point now);
  void prepare(std::int64_t age_s);
  [[nodiscard]] std::int64_t age_of(const view& seen) const;
  void allow_origin(http::response& r, std::string_view origin) const;
  [[nodiscard]] std::string cache_control(origin from) const;
  awaitable<const points*> history_of(std::int64_t hours);

  worker& worker_;
  const clock& clock_;
  std::chrono::seconds max_age_;
  std::vector<std::string> origins_;
  bool is_open_to_all_ = false;

  std::shared_ptr<const view> view_;
  std::uint64_t version_ = 0;
  ready ready_;
  std::chrono::steady_clock::time_point aged_at_{};
  std::map<std::int64_t, points> points_;  // by hours
  metrics::counter& waits_;
};

}  // namespace skirmish::status
