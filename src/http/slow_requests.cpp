#include "http/slow_requests.hpp"

#include <utility>

namespace skirmish::http {

void slow_requests::note(slow_request r) {
  const std::lock_guard lock(mutex_);
  if (latest_.size() == limit) latest_.pop_front();
  latest_.push_back(std::move(r));
}

std::vector<slow_request> slow_requests::list(timestamp now, std::size_t at_most) {
  const std::lock_guard lock(mutex_);
  std::vector<slow_request> out;
  for (auto i = latest_.size(); i-- > 0 && out.size() < at_most;)
    if (now - latest_[i].at <= kept) out.push_back(latest_[i]);
  return out;
}

slow_requests& slow_requests_of_process() {
  static slow_requests all;
  return all;
}

void note_if_slow(const exchange& x, std::string_view route, int status) {
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(x.spent);
  if (took < slow_requests::slow) return;
  slow_requests_of_process().note(
      {system_clock{}.now(), x.req.method, std::string(route), status, took, x.request_id});
}

}  // namespace skirmish::http
