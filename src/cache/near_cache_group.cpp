#include "cache/near_cache_group.hpp"

#include "cache/near_cache.hpp"
#include "core/event.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

#include <atomic>

namespace skirmish::cache {
namespace {

using namespace std::chrono_literals;

// A thread that is busy for so long has Redis' push before it when it goes on.
constexpr auto patience = 100ms;

}  // namespace

void near_cache_group::add(asio::any_io_executor executor,
                           const std::shared_ptr<near_cache>& memory) {
  const std::lock_guard lock(mutex_);
  members_.push_back({std::move(executor), memory});
}

void near_cache_group::remove(const std::shared_ptr<near_cache>& memory) {
  const std::lock_guard lock(mutex_);
  std::erase_if(members_, [&](const member& m) { return m.memory.lock() == memory; });
}

awaitable<void> near_cache_group::invalidate(std::string key) {
  return each([key = std::move(key)](near_cache& memory) { memory.invalidate(key); });
}

awaitable<void> near_cache_group::clear() {
  return each([](near_cache& memory) { memory.clear(); });
}

awaitable<void> near_cache_group::each(action act) {
  const auto mine = co_await asio::this_coro::executor;
  const auto all_done = std::make_shared<event>(mine);
  const auto work = std::make_shared<const action>(std::move(act));
  post_to_all(work, mine, all_done);
  co_await all_done->wait_for(patience);
}

void near_cache_group::post_to_all(const std::shared_ptr<const action>& work,
                                   const asio::any_io_executor& caller,
                                   const std::weak_ptr<event>& all_done) {
  const std::lock_guard lock(mutex_);
  const auto left = std::make_shared<std::atomic<std::size_t>>(members_.size());
  for (const auto& m : members_) {
    asio::post(m.executor, [memory = m.memory, work, left, caller, all_done] {
      if (const auto alive = memory.lock()) (*work)(*alive);
      if (--*left > 0) return;
      asio::post(caller, [all_done] {
        if (const auto alive = all_done.lock()) alive->set();
      });
    });
  }
}

}  // namespace skirmish::cache
