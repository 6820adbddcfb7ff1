// The status as readers get it: one per server thread.
#pragma once

#include "config.hpp"
#include "core/clock.hpp"
#include "http/allowed_sites.hpp"
#include "http/exchange.hpp"
#include "http/fast_path.hpp"
#include "metrics/registry.hpp"
#include "status/servers.hpp"
#include "status/webhook.hpp"
#include "status/worker.hpp"

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skirmish::status {

// The body of /server/status for a view of a certain age, with its `_cache`.
std::string render(const view& seen, std::int64_t age_s);

// {status: ok|stale|error, age_seconds, last_scheduled_refresh, message}: `stale` when the
// document, or the last refresh by the clock, is as old as the board's stale_limit(), or when the
// document comes from nowhere but memory; `error` when nothing is known. `message` says which.
http::response health(const view_board& board, const clock& time);

// What PUT /api/status/interval takes.
inline constexpr std::int64_t interval_set_min_s = 10;
inline constexpr std::int64_t interval_set_max_s = 3'600;

class service {
 public:
  service(worker& source, const config& settings, const clock& time, metrics::registry& metrics);

  awaitable<http::response> status(http::exchange& x);
  awaitable<http::response> debug();
  awaitable<http::response> health();
  awaitable<http::response> refresh();
  awaitable<http::response> set_interval(http::exchange& x);
  awaitable<http::response> history(http::exchange& x);
  awaitable<http::response> badge(http::exchange& x);
  // The same for one of status.probes, by its name.
  awaitable<http::response> server(http::exchange& x);
  awaitable<http::response> server_history(http::exchange& x);
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
  [[nodiscard]] std::string cache_control(origin from) const;
  // `server` is empty for the first one.
  awaitable<const points*> history_of(std::string server, std::int64_t hours);
  awaitable<http::response> history_answer(http::exchange& x, std::string server);
  [[nodiscard]] bool is_first(std::string_view name) const { return name == first_name_; }
  [[nodiscard]] bool is_other(std::string_view name) const;

  worker& worker_;
  const clock& clock_;
  std::chrono::seconds max_age_;
  http::allowed_sites sites_;

  std::shared_ptr<const view> view_;
  std::uint64_t version_ = 0;
  ready ready_;
  std::chrono::steady_clock::time_point aged_at_{};
  std::string first_name_;  // empty when it has none
  std::vector<named_server> others_;
  std::map<std::pair<std::string, std::int64_t>, points> points_;  // by server and hours
  metrics::counter& waits_;
};

}  // namespace skirmish::status
