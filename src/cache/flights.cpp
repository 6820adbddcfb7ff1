#include "cache/flights.hpp"

#include "core/error.hpp"
#include "core/event.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

namespace skirmish::cache {

std::shared_ptr<cache::flights> make_flights() { return std::make_shared<cache::flights>(); }

awaitable<cache::answer> cache::flight::landed(std::chrono::milliseconds limit) {
  auto wake = std::make_shared<event>(co_await asio::this_coro::executor);
  bool must_wait = false;
  {
    const std::lock_guard lock(mutex_);
    must_wait = !landed_;
    if (must_wait) waiting_.push_back(wake);
  }
  if (must_wait) co_await wake->wait_for(limit);
  const std::lock_guard lock(mutex_);
  if (!landed_) throw failure(errc::deadline_exceeded, "cache: a load did not end in time");
  if (problem_) std::rethrow_exception(problem_);
  co_return answer_;
}

void cache::flight::land(cache::answer answer, std::exception_ptr problem) {
  std::vector<std::shared_ptr<event>> waiting;
  {
    const std::lock_guard lock(mutex_);
    landed_ = true;
    answer_ = std::move(answer);
    problem_ = std::move(problem);
    waiting.swap(waiting_);
  }
  for (auto& wake : waiting) {
    const auto executor = wake->executor();
    asio::post(executor, [wake = std::move(wake)] { wake->set(); });
  }
}

cache::flights::joined cache::flights::join(const std::string& key) {
  auto& at = shard_of(key);
  const std::lock_guard lock(at.mutex);
  auto& flight = at.flights[key];
  if (flight) return {flight, false};
  flight = std::make_shared<cache::flight>();
  return {flight, true};
}

void cache::flights::land(const std::string& key, const std::shared_ptr<cache::flight>& flight,
                          cache::answer answer, std::exception_ptr problem) {
  {
    auto& at = shard_of(key);
    const std::lock_guard lock(at.mutex);
    const auto found = at.flights.find(key);
    if (found != at.flights.end() && found->second == flight) at.flights.erase(found);
  }
  flight->land(std::move(answer), std::move(problem));
}

void cache::flights::forget(const std::string& key) {
  auto& at = shard_of(key);
  const std::lock_guard lock(at.mutex);
  at.flights.erase(key);
}

void cache::flights::forget_prefix(std::string_view prefix) {
  for (auto& at : shards_) {
    const std::lock_guard lock(at.mutex);
    std::erase_if(at.flights, [&](const auto& entry) { return entry.first.starts_with(prefix); });
  }
}

}  // namespace skirmish::cache
