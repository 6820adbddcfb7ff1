#include "interactions/interactions.hpp"

#include "core/event.hpp"
#include "core/parse.hpp"
#include "interactions/flush_pace.hpp"
#include "interactions/interactions_keys.hpp"

#include <algorithm>
#include <utility>

namespace skirmish::interactions {
namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

constexpr auto caller_patience = 10s;
constexpr steady::duration rest_limit = 500ms;
constexpr double overlap_after = 0.5;  // of the time that a commit is expected to take

const redis::script claim_script{
    "interactions/claim_stream",
#include "interactions/claim_stream.lua.inc"
};

const error busy{errc::unavailable, "too much is waiting to be written; try again"};
const error replicas_behind{errc::unavailable,
                            "the store's replicas are too far behind; try again"};

bool lacks_id(const event& e) {
  const auto* a = std::get_if<attack>(&e);
  return a && a->id.empty();
}

}  // namespace

engine::engine(asio::io_context& io, redis::client& redis, redis::client& commits,
               const redis::key_space& keys, const clock& time, engine_settings settings,
               metrics::registry& metrics)
    : io_(io),
      redis_(redis),
      keys_(keys),
      clock_(time),
      settings_(std::move(settings)),
      committer_(io, commits, keys, time, settings_.committer, metrics),
      wake_(io),
      writes_(io),
      refused_(metrics.add_counter("skirmish_events_refused_total",
                                   "Events of frames refused as a whole (busy or down).")),
      waiting_(metrics.add_gauge("skirmish_events_waiting", "Events waiting for a commit.")),
      duration_(metrics.add_histogram("skirmish_commit_duration_seconds",
                                      "Time of a commit, retries included.")) {}

void engine::submit(frame f) {
  const bool is_behind = committer_.replicas_are_behind();
  if (stopping_ || is_behind || queued_events_ + f.events.size() > settings_.queue_limit) {
    refused_.add(f.events.size());
    f.done({0, {}, is_behind ? replicas_behind : busy, false});
    return;
  }
  for (auto& e : f.events) {
    if (lacks_id(e)) give_id(e, clock_.now());
    f.has_completions |= std::holds_alternative<completion>(e);
  }
  queued_events_ += f.events.size();
  waiting_.add(static_cast<std::int64_t>(f.events.size()));
  queue_.push_back(std::move(f));
  wake_.set();
}

awaitable<outcome> engine::commit(frame f) {
  struct waiter {
    explicit waiter(asio::io_context& io) : answered(io) {}
    std::optional<outcome> answer;
    skirmish::event answered;
  };
  const auto state = std::make_shared<waiter>(io_);
  f.done = [state](outcome o) {
    state->answer = std::move(o);
    state->answered.set();
  };
  submit(std::move(f));
  if (!state->answer) co_await state->answered.wait_for(caller_patience);
  if (state->answer) co_return std::move(*state->answer);
  co_return outcome{
      0, {}, error{errc::deadline_exceeded, "not confirmed in time; it may have been done"}, false};
}

awaitable<result<stream_claim>> engine::claim(std::string stream_id, std::string owner) {
  co_await committer_.catch_up();
  const auto key = stream_key(keys_, stream_id);
  const auto now = std::to_string(clock_.now().time_since_epoch().count());
  const auto channel = claims_channel(keys_);
  const std::string_view keys[] = {key};
  const std::string_view args[] = {owner, now, channel, stream_id};
  const auto reply = redis::checked(co_await redis_.eval(claim_script, keys, args));
  const auto made = reply.as_strings();
  if (made.size() < 2) co_return error{errc::forbidden, "this stream belongs to another key"};
  stream_claim out;
  out.committed = static_cast<std::uint64_t>(parse_integer(made[0]).value_or(0));
  out.claim = parse_integer(made[1]).value_or(0);
  co_return out;
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
  while (!stopping_ || committer_.in_flight() > 0) {
    const auto due = next_commit_at();
    if (due > steady::now()) {
      co_await wake_.wait_until(due);
      continue;
    }
    auto frames = take();
    const bool has_completions = std::ranges::any_of(frames, &frame::has_completions);
    auto b = std::make_shared<batch>(std::move(frames));
    if (b->empty()) continue;
    if (committer_.replicas_are_behind()) {
      refused_.add(b->event_count());
      b->fail(replicas_behind);
      continue;
    }
    // A server that has committed nothing has nothing to watch.
    if (!std::exchange(watches_, true))
      writes_.keep_running("commit_durability", [this] { return committer_.watch_durability(); });
    const auto events = b->event_count();
    under_way_.push_back(events);
    if (under_way_.size() == 1) began_ = steady::now();
    writes_.spawn("commit", [this, b, events, has_completions] {
      return write_batch(b, events, has_completions);
    });
  }
  committer_.stop();
  batch left(take());
  left.fail(busy);
  co_await writes_.wait(1s);
}

awaitable<void> engine::write_batch(std::shared_ptr<batch> b, std::size_t events,
                                    bool has_completions) {
  const auto start = steady::now();
  co_await committer_.write(std::move(*b));
  const auto now = steady::now();
  duration_.observe(std::chrono::duration<double>(now - start).count());
  pace_ = std::chrono::duration<double>(now - began_) / std::max<std::size_t>(events, 1);
  under_way_.pop_front();
  if (committer_.leaves_pending()) rest(now - began_);
  began_ = now;
  wake_.set();
  if (has_completions && completed_) completed_();
}

// Nothing is committed while too much is pending; otherwise the rest grows with its age.
void engine::rest(steady::duration after) {
  if (!pending_) return;
  pending_->note_load();
  const auto known = pending_->state();
  if (!known) return;
  const auto times = rest_after_commit(pending_->age(), settings_.settle_within, known->bytes());
  auto wait = std::chrono::duration_cast<steady::duration>(times * after);
  if (known->bytes() >= pending_limit_bytes) wait = rest_limit;
  rests_until_ = steady::now() + std::min<steady::duration>(wait, rest_limit);
}

// A second commit goes when the first has had half of the time that it is expected to take: late
// enough to take many events along, early enough that Redis never waits.
steady::time_point engine::next_commit_at() const {
  const auto now = steady::now();
  if (stopping_) return now + 50ms;
  if (queue_.empty()) return now + 1h;
  if (committer_.replicas_are_behind()) return now;
  // Room that comes back without a commit's end is found by a look now and then.
  if (!committer_.has_room()) return now + 5ms;
  const auto earliest = std::max(now, rests_until_);
  if (under_way_.empty()) return earliest;
  if (queued_events_ < settings_.overlap_from) return now + 1h;
  const auto expected = pace_ * static_cast<double>(under_way_.front());
  return std::max(rests_until_,
                  began_ + std::chrono::duration_cast<steady::duration>(overlap_after * expected));
}

void engine::stop() {
  stopping_ = true;
  wake_.set();
}

}  // namespace skirmish::interactions
