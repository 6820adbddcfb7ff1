// The interaction engine of one server thread: gathers what arrives while a commit is under way and
// writes it as the next one (group commit). No timers: an idle server commits at once, a busy one
// commits bigger batches.
//
// Exactly once: a commit carries this writer's name and a number that must be the next one. When a
// reply is lost, the same commit is sent again with the same number; if it had been applied, Redis
// says so and changes nothing. Before that the lost connection is killed at the server, so that
// nothing sent on it runs later.
#pragma once

#include "interactions/batch.hpp"
#include "levels/levels.hpp"
#include "metrics/registry.hpp"
#include "players/players.hpp"
#include "redis/client.hpp"
#include "redis/key_space.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/unordered/unordered_flat_set.hpp>

#include <deque>
#include <string>

namespace skirmish::interactions {

struct engine_settings {
  commit_settings commit;
  std::size_t batch_limit = 10'000;   // events in one commit
  std::size_t queue_limit = 200'000;  // events waiting; a frame that would pass it is refused
  // How long frames wait for Redis to come back before they are refused, when nothing of them was
  // sent.
  std::chrono::milliseconds patience{2'000};
};

struct attack_record {
  std::string id;
  std::int64_t damage = 0;
  std::string ts;
};

class engine {
 public:
  engine(asio::io_context& io, redis::client& redis, players::service& players,
         levels::service& levels, const redis::key_space& keys, const clock& time,
         engine_settings settings, metrics::registry& metrics);

  // Queues a frame. Its `done` is called on this thread, maybe before this returns: a full queue
  // refuses at once.
  void submit(frame f);

  // The same for one caller that waits. deadline_exceeded after 10 s: then it is unknown whether it
  // was done.
  awaitable<outcome> commit(frame f);

  // The last committed number of a stream; 0 for a new one.
  awaitable<std::uint64_t> committed(std::string stream_id);

  awaitable<result<attack_record>> latest_attack(std::string attacker_id, std::string target_id);

  // Commits until stop(); give it to a task_group. Frames still queued then are refused.
  awaitable<void> run();
  void stop();

 private:
  enum class verdict { applied, amended, again };

  std::vector<frame> take();
  awaitable<void> write(batch b);
  awaitable<redis::value> send(const std::vector<std::string>& arguments);
  verdict judge(batch& b, const redis::value& reply, amendment& out);
  awaitable<void> settle(std::int64_t lost_client);
  void start_anew();
  awaitable<void> learn_dumps();
  bool keeps_profile(const std::string& player_id);

  asio::io_context& io_;
  redis::client& redis_;
  players::service& players_;
  levels::service& levels_;
  const redis::key_space& keys_;
  const clock& clock_;
  engine_settings settings_;
  std::string writer_;        // names this engine in commit:<writer>
  std::uint64_t number_ = 1;  // of the next commit
  std::deque<frame> queue_;
  std::size_t queued_events_ = 0;
  asio::steady_timer wake_;
  bool stopping_ = false;
  bool dumps_known_ = false;  // whether this Redis takes dumps has been found out
  // Players whose cached profile was kept alive in this minute; once a minute is enough.
  boost::unordered_flat_set<std::string> kept_profiles_;
  std::chrono::minutes kept_minute_{};

  metrics::counter& accepted_;
  metrics::counter& rejected_;
  metrics::counter& refused_;
  metrics::counter& commits_;
  metrics::counter& retries_;
  metrics::gauge& waiting_;
  metrics::histogram& duration_;
};

}  // namespace skirmish::interactions
