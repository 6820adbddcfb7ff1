// A message that a worker holds: the stage it is in, its run, and how that ended.
#pragma once

#include "skirmish/tasks/context.hpp"
#include "tasks/app_impl.hpp"
#include "tasks/protocol/message.hpp"
#include "tasks/protocol/result_document.hpp"
#include "tasks/worker/chord_part.hpp"
#include "tasks/worker/task_state.hpp"

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace skirmish::tasks {

struct job;

// What a job needs of its surroundings while it runs. Called from any thread.
class job_host {
 public:
  virtual ~job_host() = default;
  // Stores a state that the task announces about itself, and publishes it.
  virtual void publish_state(const job& from, std::string document) = 0;
  [[nodiscard]] virtual const app::impl& owner() const = 0;
  [[nodiscard]] virtual const std::string& node() const = 0;
};

// Where a job is on its way through the worker. Only held_jobs changes it.
enum class job_stage {
  received,      // just fetched
  unknown,       // no such task is registered here: other workers are asked
  returning,     // goes back to its queue at a set time, for a worker that knows the task
  scheduling,    // its eta is far ahead: on its way to the eta store
  delayed,       // waits here for its eta
  rate_limited,  // waits here for its rate limit
  ready,         // may start
  starting,      // Redis is being told that it starts
  running,
  ended,        // how it ended is written by the next worker cycle
  dead_letter,  // moved to the dead letters by the next worker cycle
  given_up,     // by a cold shutdown: goes back to its queue
  released,     // not held any more
};
inline constexpr std::size_t job_stages = static_cast<std::size_t>(job_stage::released) + 1;

enum class job_outcome { success, failure, retry, ignored, rejected, requeued, revoked };

struct job final : task_context {
  job(job_host& surroundings, std::string envelope) : host(surroundings), m(std::move(envelope)) {}

  job_host& host;
  message m;
  task_state* task = nullptr;  // null: not registered here
  job_stage stage = job_stage::received;
  double received_s = 0;  // wall clock, Unix seconds
  double leased_s = 0;    // when Redis was last told that it is still held
  double started_s = 0;
  bool acks_late = false;
  bool acknowledged = false;
  bool start_recorded = false;  // in running:<instance>
  bool rate_granted = false;    // by the rate limit that all workers share
  int times_asked = 0;          // how often other workers were asked whether they know its task
  std::string dead_letter_reason;

  // Set by the worker's loop, read by the task.
  std::atomic<bool> aborted{false};
  std::atomic<bool> soft_limit_passed{false};
  // Whoever sets it first decides how the job ended: the thread that ran it, or the loop (time
  // limit, revocation).
  std::atomic<bool> settled{false};

  // How it ended. Written before the job is handed to the loop.
  job_outcome ended = job_outcome::success;
  std::string result_json;
  std::string result_repr;
  failure_info problem;
  double runtime_s = 0;
  std::string document;              // to be stored; empty: nothing
  std::vector<addressed> followers;  // messages to be sent with the acknowledgement
  std::vector<std::pair<std::string, std::string>> follower_chords;  // key, value: see chord_keys()
  std::vector<std::string> follower_events;  // raw fields of task-sent events, if these are enabled
  std::vector<std::pair<std::string, std::string>> more_results;  // id, document: failed chains
  std::vector<chord_part> chord_parts;  // of its own chord, and of those of its failed chain
  std::mutex children_mutex;
  json_array children;

  [[nodiscard]] bool stores_result() const;
  // True when no failures remain: the message moves to the dead letters.
  [[nodiscard]] bool is_last_failure() const;

  [[nodiscard]] std::string_view id() const override { return m.id; }
  [[nodiscard]] std::string_view name() const override { return m.task; }
  [[nodiscard]] std::string_view root_id() const override { return m.root(); }
  [[nodiscard]] std::string_view parent_id() const override { return m.parent_id; }
  [[nodiscard]] std::string_view group() const override { return m.group; }
  [[nodiscard]] std::string_view queue() const override { return m.queue; }
  [[nodiscard]] std::string_view hostname() const override { return host.node(); }
  [[nodiscard]] int retries() const override { return m.retries; }
  [[nodiscard]] std::optional<time_point> eta() const override;
  [[nodiscard]] std::optional<time_point> expires() const override;
  [[nodiscard]] json_object headers() const override;
  void update_state(json meta, std::string_view state) override;
  [[nodiscard]] bool is_aborted() const override { return aborted.load(std::memory_order_relaxed); }
  void check() const override;
};

using job_ptr = std::shared_ptr<job>;

// Decodes the body, calls the task function and settles the job; on a thread of the pool. Not for
// coroutines. False when the loop had settled the job meanwhile.
bool run_job(job& j);

// Settles a job with what its function returned or threw, and prepares everything that follows: the
// result document, callbacks, the chain's next step, retries. False when it was settled already.
bool settle(job& j, message_body body, const std::exception_ptr& thrown, json value);
// Settles it as failed or revoked, without its function's word. False when it was settled already.
bool settle_failed(job& j, failure_info problem, job_outcome how);

}  // namespace skirmish::tasks
