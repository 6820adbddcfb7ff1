// The figures of the last 15 minutes as one feature of a server thread: the channel `metrics`.
#pragma once

#include "core/task_group.hpp"
#include "http/router.hpp"
#include "live_metrics/metrics_channel.hpp"
#include "live_metrics/recorder.hpp"
#include "realtime/realtime.hpp"

#include <utility>

namespace skirmish::live_metrics {

class feature {
 public:
  // `samples`: of all threads of this server.
  feature(asio::io_context& io, redis::client& redis, const clock& time,
          const metrics::registry& metrics, redis_sources sources, recent_samples& samples)
      : recorder_(io, redis, time, metrics, std::move(sources), samples), channel_(io, samples) {}

  void add_to(http::router&, realtime::gateway& gateway) { channel_.add_to(gateway); }
  void start(task_group& group) {
    group.keep_running("metrics_channel", [this] { return channel_.run(); });
  }
  // The metrics are those of the whole process.
  void start_on_first(task_group& group) {
    group.keep_running("metrics_recorder", [this] { return recorder_.run(); });
    group.keep_running("metrics_of_redis", [this] { return recorder_.run_redis(); });
  }

 private:
  recorder recorder_;
  metrics_channel channel_;
};

}  // namespace skirmish::live_metrics
