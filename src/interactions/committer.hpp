// Writes batches as commits: in order, exactly once, two on their way at a time.
//
// A commit carries this writer's name and a number that must be the next one. When a reply is lost,
// the same commit is sent again with the same number; if it had been applied, Redis says so and
// changes nothing. Before that the lost connection is killed at the server, so that nothing sent on
// it runs later. The second one is sent before the first is answered, so that Redis always has
// work; when the first did not go through, Redis refuses the second by its number.
#pragma once

#include "core/message_of.hpp"
#include "interactions/batch.hpp"
#include "interactions/redo_log.hpp"
#include "interactions/replica_marks.hpp"
#include "metrics/registry.hpp"
#include "redis/client.hpp"
#include "redis/damaged_keys.hpp"
#include "redis/key_space.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/unordered/unordered_flat_set.hpp>

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>

namespace skirmish::interactions {

// Brings back what Redis does not have and SQL knows; returns the ids that nobody knows.
using restorer = std::function<awaitable<std::vector<std::string>>(std::vector<std::string> ids)>;

struct committer_settings {
  commit_settings commit;
  restorer restore_players;
  restorer restore_levels;
  // Under load, a commit with more events than this leaves pending what can wait
  // (commit_settings::leaves_pending). Load is more than `busy_from` events in the last seconds.
  std::int64_t small_commit_limit = 64;
  double busy_from = 90'000;
  // So is one commit with more events than this, of at least so many streams: they wait for Redis.
  std::int64_t backlog_events = 200;
  std::int64_t backlog_streams = 8;
  // How long a batch of which nothing was sent waits for Redis before it is refused.
  std::chrono::milliseconds patience{2'000};
  // Confirmed commits are kept until Redis has written them to its file and so many replicas have
  // them. With this many bytes of them, commits wait; when the oldest has waited for so long,
  // frames are refused.
  std::size_t replicas_acked = 0;
  std::chrono::milliseconds replica_lag_limit{30'000};
  std::size_t redo_limit_bytes = 64 << 20;
};

class committer {
 public:
  // `redis` may run on a thread of its own (redis/threaded_client.hpp).
  committer(asio::io_context& io, redis::client& redis, const redis::key_space& keys,
            const clock& time, committer_settings settings, metrics::registry& metrics);

  // Ends when every frame of the batch has been answered, whatever is thrown meanwhile. Call it
  // again when has_room().
  awaitable<void> write(batch b);
  [[nodiscard]] bool has_room() const noexcept;
  [[nodiscard]] std::uint64_t in_flight() const noexcept { return next_ticket_ - serving_; }

  // Whether the last batch was written under load (committer_settings).
  [[nodiscard]] bool leaves_pending() const noexcept { return settings_.commit.leaves_pending; }

  // Waits until Redis holds everything that was confirmed, after it was away. Throws unavailable.
  awaitable<void> catch_up();

  // Commits that the replicas lack are too old (committer_settings::replica_lag_limit). Always
  // false when no replica is asked for.
  [[nodiscard]] bool replicas_are_behind() const noexcept;

  // Forgets commits that are safe, and sends those that Redis lost as soon as it is there again,
  // until stop().
  awaitable<void> watch_durability();
  void stop();

 private:
  struct attempt {
    std::uint64_t number = 0;
    std::uint64_t era = 0;         // of the writer's name
    std::uint64_t connection = 0;  // it was sent on
    bool is_answered = false;  // be it by an error, which is `lost` then
    std::optional<redis::value> reply;
    std::optional<error> lost;
    bool is_damaged = false;  // a key that all share holds something else
  };

  // A place in the order of commits, given up whatever ends its owner.
  class turn {
   public:
    explicit turn(committer& of) : of_(of), ticket_(of.next_ticket_) {
      of.turns_ended_.push_back(false);
      ++of.next_ticket_;
    }
    ~turn() { of_.end_turn(ticket_); }
    turn(const turn&) = delete;
    turn& operator=(const turn&) = delete;
    [[nodiscard]] std::uint64_t ticket() const noexcept { return ticket_; }

   private:
    committer& of_;
    std::uint64_t ticket_;
  };

  awaitable<void> write_in_turn(batch& b, std::uint64_t ticket, bool& knows_number);
  void end_turn(std::uint64_t ticket) noexcept;
  awaitable<attempt> send(commit_request& request, std::uint64_t number);
  awaitable<attempt> send_now(commit_request& request, std::uint64_t number, std::uint64_t era,
                              std::string key);
  // Awaits `work()` on the client's thread. Its failure comes as a value and is thrown here, so
  // that no exception is shared by two threads.
  template <class Work>
  awaitable<typename std::invoke_result_t<Work>::value_type> on_redis(Work work) {
    using outcome = result<typename std::invoke_result_t<Work>::value_type>;
    auto guarded = [work]() -> awaitable<outcome> {
      std::optional<error> problem;
      try {
        auto value = co_await work();
        co_return outcome(std::move(value));
      } catch (const failure& e) {
        problem = error{e.code(), e.what()};
      } catch (...) {
        problem = error{errc::internal, message_of(std::current_exception())};
      }
      co_return outcome(std::move(*problem));
    };
    auto out = co_await asio::co_spawn(redis_.context(), std::move(guarded), use_awaitable);
    if (out.has_error()) throw failure(out.error().code, out.error().message);
    co_return std::move(*out);
  }
  awaitable<void> wait_turn(std::uint64_t ticket);
  awaitable<void> finish(batch& b, commit_request& request, attempt last, timestamp now,
                         bool& knows_number);
  awaitable<void> amend(batch& b, const redis::value& reply);
  static amendment read_amendment(const redis::value& reply);
  awaitable<void> restore(amendment& changes);
  awaitable<bool> redo(std::uint64_t found);
  awaitable<std::uint64_t> redo_one(std::uint64_t number,
                                    std::chrono::steady_clock::time_point in_order_until);
  awaitable<bool> skip_to(std::uint64_t number);
  void count_lost(std::uint64_t first, std::uint64_t last);
  awaitable<void> settle(attempt lost);
  awaitable<bool> kill_when_connected(std::uint64_t lost);
  awaitable<std::uint64_t> ask_what_is_safe(std::uint64_t connection);
  awaitable<void> release_what_is_safe(std::uint64_t connection);
  awaitable<void> pause(std::chrono::milliseconds time);
  bool is_busy(const batch& b);
  bool keeps_profile(const std::string& player_id);
  void keep(commit_request request, const attempt& last);
  void applied(batch& b, const redis::value& reply);
  void note_held();
  void start_anew();

  asio::io_context& io_;
  redis::client& redis_;
  const redis::key_space& keys_;
  const clock& clock_;
  committer_settings settings_;
  std::string writer_;           // names this one in commit:<writer>
  std::uint64_t committed_ = 0;  // number of the last commit
  std::uint64_t era_ = 0;        // how many names there were before
  std::uint64_t next_ticket_ = 0;
  std::uint64_t serving_ = 0;     // ticket of the oldest batch under way
  std::deque<bool> turns_ended_;  // of the tickets from serving_ on
  bool troubled_ = false;         // the oldest one has not gone through at once
  unsigned refusals_ = 0;         // of a server that is there, one after the other
  // Connection on which Redis is known to hold everything that was confirmed; 0: on none. This
  // writer has written on it, so that WAIT there waits for all its commits.
  std::uint64_t caught_up_ = 0;
  redo_log redo_;
  std::int64_t held_noted_ = 0;     // bytes of it that are in the gauge
  replica_marks marks_;             // of the server of that connection
  std::uint64_t lost_through_ = 0;  // commits up to this number that are lost have been counted
  std::chrono::steady_clock::time_point last_commit_at_{};
  redis::damaged_keys damaged_;
  asio::steady_timer turn_;   // cancelled when serving_ changes
  asio::steady_timer pulse_;  // of watch_durability()
  bool stopping_ = false;
  double recent_events_ = 0;  // the older, the less
  std::chrono::steady_clock::time_point counted_at_{};
  // Players whose cached profile was kept alive in this minute.
  boost::unordered_flat_set<std::string> kept_profiles_;
  std::chrono::minutes kept_minute_{};

  metrics::counter& accepted_;
  metrics::counter& rejected_;
  metrics::counter& commits_;
  metrics::counter& retries_;
  metrics::counter& redone_;
  metrics::counter& lost_;
  metrics::gauge& held_bytes_;
  metrics::histogram& safe_after_;
};

}  // namespace skirmish::interactions
