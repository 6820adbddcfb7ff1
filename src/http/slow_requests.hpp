// The last requests that took long, of the whole process, for operators. Thread-safe.
#pragma once

#include "core/clock.hpp"
#include "http/exchange.hpp"

#include <cstddef>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace skirmish::http {

struct slow_request {
  timestamp at;  // when it was answered
  verb method = verb::get;
  std::string route;  // its pattern, so it names nobody
  int status = 0;
  std::chrono::milliseconds took{};
  std::string request_id;
};

class slow_requests {
 public:
  static constexpr std::chrono::milliseconds slow{250};
  static constexpr std::size_t limit = 500;
  static constexpr std::chrono::hours kept{1};

  void note(slow_request r);
  // The latest first.
  std::vector<slow_request> list(timestamp now, std::size_t at_most);

 private:
  std::mutex mutex_;
  std::deque<slow_request> latest_;  // the oldest first
};

slow_requests& slow_requests_of_process();

// Notes a request that was answered, if it took that long without the wait for its body.
void note_if_slow(const exchange& x, std::string_view route, int status);

}  // namespace skirmish::http
