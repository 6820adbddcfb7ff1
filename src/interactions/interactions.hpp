// The interaction engine of one server thread: gathers what arrives while a commit is under way and
// writes it as the next one (group commit). No timers: an idle server commits at once, a busy one
// commits bigger batches.
#pragma once

#include "core/event.hpp"
#include "core/task_group.hpp"
#include "interactions/batch.hpp"
#include "interactions/committer.hpp"
#include "interactions/event_text.hpp"
#include "interactions/events.hpp"
#include "interactions/interactions_keys.hpp"
#include "interactions/pending_watch.hpp"
#include "metrics/registry.hpp"
#include "redis/client.hpp"
#include "redis/key_space.hpp"

#include <boost/asio/io_context.hpp>

#include <deque>
#include <functional>
#include <memory>
#include <string>

namespace skirmish::interactions {

struct engine_settings {
  committer_settings committer;
  std::size_t commit_limit = 50'000;  // events in one commit
  // Events that have to wait before a commit is sent behind one that is still on its way: a short
  // queue is better gathered than sent at once.
  std::size_t overlap_from = 256;
  std::size_t queue_limit = 200'000;  // events waiting; a frame that would pass it is refused
  // Age of pending writes at which commits give way to the flushers (flush_pace.hpp).
  std::chrono::milliseconds settle_within{5'000};
};

struct stream_claim {
  std::uint64_t committed = 0;  // the stream's last number; 0 for a new one
  std::int64_t claim = 0;       // grows with each writer
};

class engine {
 public:
  // Writes through `commits`, which may run on a thread of its own, and reads through `redis`.
  engine(asio::io_context& io, redis::client& redis, redis::client& commits,
         const redis::key_space& keys, const clock& time, engine_settings settings,
         metrics::registry& metrics);

  // Queues a frame. Its `done` is called on this thread, maybe before this returns: a full queue
  // refuses at once.
  void submit(frame f);

  // Called after each commit that had completions.
  void on_completions(std::function<void()> handler) { completed_ = std::move(handler); }

  // The same for one caller that waits. deadline_exceeded after 10 s: then it is unknown whether it
  // was done.
  awaitable<outcome> commit(frame f);

  // Makes the caller the writer of a stream, which belongs to the first owner that claimed it.
  // Frames of the writer before are refused from now on. forbidden: it belongs to another owner.
  awaitable<result<stream_claim>> claim(std::string stream_id, std::string owner);

  // Slows down by what this knows, which must outlive the engine.
  void slow_down_by(pending_watch& pending) { pending_ = &pending; }

  // Commits until stop(); give it to a task_group. Frames still queued then are refused.
  awaitable<void> run();
  void stop();

 private:
  std::vector<frame> take();
  [[nodiscard]] std::chrono::steady_clock::time_point next_commit_at() const;
  void rest(std::chrono::steady_clock::duration after);
  awaitable<void> write_batch(std::shared_ptr<batch> b, std::size_t events, bool has_completions);

  asio::io_context& io_;
  redis::client& redis_;
  const redis::key_space& keys_;
  const clock& clock_;
  engine_settings settings_;
  committer committer_;
  std::deque<frame> queue_;
  std::size_t queued_events_ = 0;
  skirmish::event wake_;
  bool stopping_ = false;
  std::deque<std::size_t> under_way_;            // events of each commit
  std::chrono::steady_clock::time_point began_;  // when Redis could begin with the first of them
  std::chrono::duration<double> pace_{};         // time that the last commit took for each event
  pending_watch* pending_ = nullptr;
  std::chrono::steady_clock::time_point
      rests_until_{};  // so that flushers get their share of Redis
  task_group writes_;
  bool watches_ = false;
  std::function<void()> completed_;

  metrics::counter& refused_;
  metrics::gauge& waiting_;
  metrics::histogram& duration_;
};

}  // namespace skirmish::interactions
