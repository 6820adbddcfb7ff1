// How far what is acknowledged is behind in being settled, while a load runs and after it.
#pragma once

#include "core/asio.hpp"
#include "redis/client.hpp"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <vector>

namespace skirmish::cli {

struct settle_lag {
  double p50_s = 0;
  double p99_s = 0;
  double max_s = 0;
  double attacks_max_s = 0;   // of attack records
  double activity_max_s = 0;  // of counts and last actions
  double pending_max_mb = 0;
};

class settle_watch {
 public:
  settle_watch(asio::io_context& io, redis::client& redis) : io_(io), redis_(redis) {}

  // Samples each 100 ms until stop().
  awaitable<void> run();
  void stop() { is_stopping_ = true; }
  [[nodiscard]] settle_lag summary();

  // Waits until nothing is pending; false when `patience` passed first.
  awaitable<bool> wait_settled(std::chrono::seconds patience);

 private:
  asio::io_context& io_;
  redis::client& redis_;
  bool is_stopping_ = false;
  std::vector<double> ages_s_;
  settle_lag most_;
};

}  // namespace skirmish::cli
