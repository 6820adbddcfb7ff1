// A task worker: takes messages, runs their tasks, writes what became of them.
//
// Everything but the task functions themselves happens on one loop. Its heart is the turn: one
// round trip that writes what ended, claims what starts, sends the events and fetches more. Each
// turn carries what gathered during the one before, so a busy worker's turns are big and an idle
// worker makes none: Redis' client tracking says when a list that was found empty has changed.
//
// worker.cpp          life: start, shutdown, timers
// worker_turn.cpp     the turn: what ended, what starts
// worker_send.cpp     its round trip, exactly once
// worker_receive.cpp  messages that arrive, tasks that start, limits
// worker_strangers.cpp messages of tasks that only others know
// worker_chords.cpp   chords
// worker_upkeep.cpp   heartbeat, leases, recovery of dead workers, far etas, the janitor
// worker_control.cpp  remote control
// worker_revoke.cpp   revoking
// worker_inspect.cpp  what it tells of itself
#pragma once

#include "core/task_group.hpp"
#include "redis/client.hpp"
#include "redis/subscriber.hpp"
#include "tasks/protocol/control_message.hpp"
#include "tasks/protocol/event.hpp"
#include "tasks/worker/job.hpp"
#include "tasks/worker/thread_pool.hpp"
#include "tasks/worker/worker_metrics.hpp"

#include <deque>
#include <map>
#include <set>
#include <unordered_map>

namespace skirmish::tasks {

class sandbox;

// What one fetch may bring.
inline constexpr std::size_t worker_fetch_limit = 1000;

// What a revoked stamp begins with, where revoked ids stand.
inline constexpr std::string_view revoked_stamp = "stamp:";

// In which order the queues (name, weight) are asked for `want` messages, and how many each may
// give before all have been asked: by weight, at random; strict: all of them, in the given order.
std::vector<std::pair<std::string, std::size_t>> serving_order(
    const std::vector<std::pair<std::string, int>>& queues, bool strict, std::size_t want);

struct worker_config {
  std::vector<std::pair<std::string, int>> queues;  // name, weight; empty: the app's default queue
  bool queues_are_default = false;                  // nobody chose them: then not others'
  bool strict_queues = false;                       // the first queue is always served first
  std::size_t concurrency = 0;                      // 0: one a core
  std::size_t prefetch_multiplier = 4;
  std::string node;  // default: skirmish@<host>
  bool events = false;
  bool gossip_heartbeat = true;                      // worker-heartbeat events
  std::size_t autoscale_max = 0, autoscale_min = 0;  // 0: fixed
  std::chrono::seconds shutdown_patience{600};       // a warm shutdown becomes cold after that
  std::chrono::milliseconds heartbeat_interval{2'000};
  std::chrono::milliseconds dead_after{10'000};  // silence that means death
  std::chrono::milliseconds lease_refresh{60'000};
  std::chrono::milliseconds near_eta{1'500};  // an eta so near waits here, not in Redis
  std::chrono::milliseconds janitor_interval{10'000};
  std::chrono::seconds reply_idle_limit{300};  // a list of replies so old is nobody's
  int poison_limit = 3;                        // workers that may die with a message in their hands
  sandbox* in_sandbox = nullptr;               // runs functions in child processes
  metrics::registry* metrics = nullptr;        // where it counts, if anywhere
};

struct worker_totals {
  std::atomic<std::uint64_t> succeeded{0}, failed{0}, retried{0}, revoked{0}, rejected{0},
      dead_lettered{0}, recovered{0}, turns{0}, fetched{0};
};

class worker final : public job_host {
 public:
  worker(app::impl& owner, asio::io_context& io, worker_config config);
  ~worker() override;

  // Works until stop(). Throws `failure` only when Redis cannot be reached at the start.
  awaitable<void> run();
  // Warm: what runs may end, the rest goes back. Called twice, or with `cold`: what runs is given
  // up, too.
  void stop(bool cold = false);

  [[nodiscard]] const app::impl& owner() const override { return app_; }
  [[nodiscard]] const std::string& node() const override { return config_.node; }
  void publish_state(const job& from, std::string document) override;
  [[nodiscard]] const worker_totals& totals() const noexcept { return totals_; }

 private:
  using steady = std::chrono::steady_clock;
  struct turn_request {
    std::vector<job_ptr> early, late;  // start
    std::vector<std::string> done;     // tags of early starters that ended
    std::vector<std::string> acks;
    std::vector<addressed> pushes;
    std::vector<std::string> forget;
    std::vector<std::pair<std::string, std::string>> results;  // key, document
    std::vector<std::string> events;
    std::vector<chord_part> chord_parts;
    std::vector<std::string> sent;      // task-sent events, raw fields
    std::vector<std::string> put_back;  // arguments of put_back.lua
    std::size_t bytes = 0;
    [[nodiscard]] bool empty() const;
  };

  // worker.cpp
  awaitable<void> work();
  awaitable<void> announce();
  awaitable<void> say_farewell();
  awaitable<void> wind_down(task_group& connections);
  void disown_running();
  awaitable<void> give_back_held();
  void subscribe_control();
  void wake();
  awaitable<void> rest();
  [[nodiscard]] std::size_t prefetch_limit() const;

  // worker_turn.cpp
  awaitable<void> turn_loop();
  awaitable<void> take_turn();
  void choose_starts(turn_request& t);
  void gather_done(turn_request& t);
  void gather_states(turn_request& t);
  awaitable<void> grant_shared_rates();
  [[nodiscard]] std::size_t fetch_wish() const;
  void hold_back(const job_ptr& j, std::chrono::duration<double> how_long);
  bool may_start(job& j, steady::time_point now);
  void finish(const job_ptr& j, turn_request& t);
  void give_up_started();

  // worker_send.cpp
  void push_turn(redis::request& to, const turn_request& t) const;
  void push_fetch(redis::request& to, std::size_t want);
  void push_put_back(redis::request& to, const turn_request& t) const;
  redis::request build_turn(const turn_request& t, bool with_results) const;
  awaitable<std::vector<redis::value>> send_surely(const turn_request& t, std::size_t want);
  awaitable<void> send_results_apart(const turn_request& t);
  awaitable<void> load_scripts(redis::client& at);
  awaitable<void> recover_connection(std::int64_t old_connection);
  awaitable<void> reclaim_in_doubt(std::uint64_t after, std::size_t count);

  // worker_receive.cpp
  std::size_t accept_fetched(const redis::value& reply);
  void receive(std::string envelope, std::string tag, std::string queue);
  void release_due();
  void start(const std::vector<job_ptr>& all);
  void dead_letter(const job_ptr& j, std::string reason);
  [[nodiscard]] std::string dead_letter_entry(const job& j, std::string_view reason) const;
  void arm_limits(const job_ptr& j);
  void enforce_limits();
  void give_up_running(const job_ptr& j, failure_info why, outcome how, int signum);

  // worker_strangers.cpp
  struct peer {
    std::set<std::string> tasks, queues;
  };
  awaitable<void> meet_peers();
  [[nodiscard]] std::string node_that_knows(const job& j) const;
  awaitable<void> check_default_queues();
  void welcome_stranger(job_ptr j);
  awaitable<void> place_strangers();
  void note_return(const job& j, const std::string& node);
  void refuse_stranger(const job_ptr& j, const std::string& node);
  void return_due(turn_request& t);
  awaitable<void> tell_returned();

  // worker_chords.cpp
  void push_chord_parts(redis::request& to, const std::vector<chord_part>& all) const;
  void after_chord_parts(const std::vector<chord_part>& parts,
                         const std::vector<redis::value>& replies, std::size_t offset);
  awaitable<void> sweep_chords();
  awaitable<void> fire_chord(std::string gid, std::string how, std::vector<std::string> parts);
  awaitable<void> fail_chord_body(const json& body, const std::string& failed,
                                  const sending& sender, plan& errbacks);

  // worker_upkeep.cpp
  awaitable<void> heartbeat_loop();
  awaitable<void> beat_once();
  awaitable<void> recover(std::string instance);
  using held_messages = std::vector<std::pair<std::string, std::string>>;  // tag, payload
  awaitable<void> restore_held(held_messages held, const std::set<std::string>& started);
  awaitable<void> report_lost(std::vector<std::pair<std::string, std::string>> records);
  void report_lost(const json_object& record);
  awaitable<void> eta_loop();
  awaitable<void> flush_far();
  awaitable<void> janitor_loop();
  awaitable<void> sweep_stale();
  awaitable<void> sweep_bindings();
  awaitable<void> note_waiting();
  awaitable<void> load_revoked();
  void autoscale();

  // worker_control.cpp
  void on_control(std::string_view envelope);
  awaitable<void> reply(received_request to, json said);
  awaitable<json> answer(const received_request& r);
  awaitable<json> answer_scheduled();
  json answer_pool(const std::string& method, const json_object& arguments);
  json answer_consumer(const std::string& method, const json_object& arguments);
  json answer_limits(const std::string& method, const json_object& arguments);
  json answer_hello(const json_object& arguments);

  // worker_revoke.cpp
  json answer_revoke(const std::string& method, const json_object& arguments);
  json answer_revoke_stamped(const json_object& arguments, bool terminate);
  void revoke(const std::vector<std::string>& ids, bool terminate, int signum);
  void remember_revoked(std::string id);
  [[nodiscard]] bool is_revoked(const job& j) const;

  // worker_inspect.cpp
  json request_info(const job& j, bool safe) const;
  json stats() const;
  json active_queues() const;
  json answer_query(const std::vector<std::string>& ids) const;
  std::optional<json> answer_question(const received_request& r) const;
  void send_event(std::string_view type, std::string fields);
  std::string worker_fields() const;

  app::impl& app_;
  asio::io_context& io_;
  worker_config config_;
  std::string instance_;
  std::string tag_prefix_;
  redis::client data_;                      // the turns
  redis::client side_;                      // all the rest
  std::unique_ptr<redis::client> results_;  // when results stand elsewhere
  redis::subscriber subscriber_;
  redis::subscription control_;
  task_group group_;
  event_writer events_;
  std::unique_ptr<thread_pool> pool_;
  worker_totals totals_;
  std::unique_ptr<worker_metrics> metrics_;
  std::map<std::string, std::unique_ptr<task_state>, std::less<>> task_states_;

  // What is held, by stage.
  std::deque<job_ptr> ready_;
  std::multimap<steady::time_point, job_ptr> waiting_;    // near etas and rate limits
  std::size_t waiting_count_ = 0;                         // of those, held back by rate limits
  std::vector<job_ptr> far_;                              // on their way to the eta store
  std::unordered_map<std::string, job_ptr> running_;      // by tag
  std::vector<job_ptr> done_;                             // taken from the pool
  std::vector<job_ptr> dropped_;                          // settled without having run
  std::vector<std::pair<job_ptr, std::string>> dead_;     // with the reason
  std::vector<job_ptr> strangers_;                        // of tasks that are not registered here
  std::multimap<steady::time_point, job_ptr> returning_;  // those that go back, when
  std::vector<job_ptr> given_up_;                         // by a cold shutdown
  std::vector<std::string> forget_;                       // keys to be deleted with the next turn
  std::mutex states_mutex_;
  std::vector<std::pair<std::string, std::string>> states_;  // key, document; from any thread
  std::multimap<steady::time_point, std::pair<std::weak_ptr<job>, bool>> limits_;  // true: hard

  std::uint64_t last_tag_ = 0;
  std::uint64_t last_turn_ = 0;
  bool more_may_wait_ = true;                        // a fetch is worth while
  std::vector<std::string> fetch_queues_;            // of the lists of the last fetch, by position
  std::unordered_map<std::string, double> revoked_;  // id → when to forget, wall seconds
  std::deque<std::string> revoked_order_;
  std::vector<std::string> fresh_revokes_;  // to be stored in Redis
  std::unordered_map<std::string, steady::time_point> bindings_without_list_;  // since when
  std::map<std::string, peer> peers_;                                          // by node
  steady::time_point peers_met_{};
  bool placing_strangers_ = false;
  std::int64_t returned_count_ = 0, returned_told_ = 0;
  std::map<std::string, steady::time_point> returns_logged_;  // by task
  std::uint64_t processed_ = 0;

  asio::steady_timer wake_;
  asio::steady_timer eta_wake_;
  std::atomic<bool> woken_{false};
  bool stopping_ = false;
  bool cold_ = false;
  bool ended_ = false;
  steady::time_point started_at_ = steady::now();
};

}  // namespace skirmish::tasks
