#include "interactions/interactions.hpp"

#include "interactions/interactions_keys.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>

namespace skirmish::interactions {
namespace {

using namespace std::chrono_literals;

constexpr auto caller_patience = 10s;

const error busy{errc::unavailable, "too much is waiting to be written; try again"};

}  // namespace

engine::engine(asio::io_context& io, redis::client& redis, const redis::key_space& keys,
               const clock& time, engine_settings settings, metrics::registry& metrics)
    : io_(io),
      redis_(redis),
      keys_(keys),
      settings_(std::move(settings)),
      committer_(io, redis, keys, time, settings_.committer, metrics),
      wake_(io),
      refused_(metrics.add_counter("skirmish_events_refused_total",
                                   "Events of frames refused as a whole (busy or down).")),
      waiting_(metrics.add_gauge("skirmish_events_waiting", "Events waiting for a commit.")),
      duration_(metrics.add_histogram("skirmish_commit_duration_seconds",
                                      "Time of a commit, retries included.")) {}

void engine::submit(frame f) {
  if (stopping_ || queued_events_ + f.events.size() > settings_.queue_limit) {
    refused_.add(f.events.size());
    f.done({0, {}, busy, false});
    return;
  }
  queued_events_ += f.events.size();
  waiting_.add(static_cast<std::int64_t>(f.events.size()));
  queue_.push_back(std::move(f));
  wake_.cancel();
}

awaitable<outcome> engine::commit(frame f) {
  struct waiter {
    explicit waiter(asio::io_context& io) : timer(io, caller_patience) {}
    std::optional<outcome> answer;
    asio::steady_timer timer;
  };
  const auto state = std::make_shared<waiter>(io_);
  f.done = [state](outcome o) {
    state->answer = std::move(o);
    state->timer.cancel();
  };
  submit(std::move(f));
  if (!state->answer) {
    error_code ignored;
    co_await state->timer.async_wait(asio::redirect_error(use_awaitable, ignored));
  }
  if (state->answer) co_return std::move(*state->answer);
  co_return outcome{
      0, {}, error{errc::deadline_exceeded, "not confirmed in time; it may have been done"}, false};
}

awaitable<std::uint64_t> engine::committed(std::string stream_id) {
  co_await committer_.catch_up();
  auto reply = redis::checked(co_await redis_.command("GET", stream_key(keys_, stream_id)));
  co_return static_cast<std::uint64_t>(reply.as_integer().value_or(0));
}

std::vector<frame> engine::take() {
  std::vector<frame> out;
  std::size_t events = 0;
  while (!queue_.empty()) {
    const auto size = queue_.front().events.size();
    if (!out.empty() && events + size > settings_.commit_limit) break;
    events += size;
    out.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  queued_events_ -= events;
  waiting_.add(-static_cast<std::int64_t>(events));
  return out;
}

awaitable<void> engine::run() {
  asio::co_spawn(io_, [this] { return committer_.watch_durability(); }, asio::detached);
  while (!stopping_ || committer_.in_flight() > 0) {
    if (stopping_ || queue_.empty() || !committer_.has_room() ||
        (committer_.in_flight() > 0 && queued_events_ < settings_.overlap_from)) {
      // Room that comes back without a commit's end is found by a look now and then.
      wake_.expires_after(queue_.empty() ? std::chrono::milliseconds(1h) : 5ms);
      error_code ignored;
      co_await wake_.async_wait(asio::redirect_error(use_awaitable, ignored));
      continue;
    }
    auto b = std::make_shared<batch>(take());
    if (b->empty()) continue;
    const auto write = [this, b] { return write_batch(b); };
    asio::co_spawn(io_, write, asio::detached);
  }
  committer_.stop();
  batch left(take());
  left.fail(busy);
}

awaitable<void> engine::write_batch(std::shared_ptr<batch> b) {
  const auto start = std::chrono::steady_clock::now();
  co_await committer_.write(std::move(*b));
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  duration_.observe(took.count());
  wake_.cancel();
}

void engine::stop() {
  stopping_ = true;
  wake_.cancel();
}

}  // namespace skirmish::interactions
