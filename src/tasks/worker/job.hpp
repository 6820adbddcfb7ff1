// A message in a worker's hands, and how its task ended.
#pragma once

#include "skirmish/tasks/context.hpp"
#include "tasks/app_impl.hpp"
#include "tasks/protocol/message.hpp"
#include "tasks/protocol/result_document.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace skirmish::tasks {

// Per registered task, changed by remote control.
struct task_state {
  std::shared_ptr<const task_definition> definition;
  std::string rate_limit;      // as set last
  double rate_interval_s = 0;  // 0: none
  double next_start_s = 0;     // steady seconds
  double global_interval_s = 0;
  std::optional<double> soft_limit_s, hard_limit_s;
  std::uint64_t total = 0;
};

// "10/s", "100/m", "1/h", "5"; 0 for none, nothing when it is not a rate.
std::optional<double> parse_rate_interval_s(std::string_view text);

struct job;

// What a job tells its worker while it runs; called from any thread.
class job_host {
 public:
  virtual ~job_host() = default;
  virtual void publish_state(const job& from, std::string document) = 0;
  [[nodiscard]] virtual const app::impl& owner() const = 0;
  [[nodiscard]] virtual const std::string& node() const = 0;
};

// What a chord is told of one member that has ended.
struct chord_part {
  std::string group_id;
  std::string score;   // the member's index, or +inf
  std::string member;  // its id
  std::string part;    // JSON as Celery has it
  std::string how;     // JSON: how to fire the chord when this is the last part
};

// `from` is the task whose end this is (or that of a step on which the member depends).
struct chord_part_origin {
  std::string_view id, root_id;
};
chord_part part_of(const chord_part_origin& from, std::string_view group_id,
                   const std::optional<std::int64_t>& index, std::string_view member,
                   const json& chord, std::string_view state, std::string_view result_json);

enum class outcome { success, failure, retry, ignored, rejected, requeued, revoked };

struct job final : task_context {
  job(job_host& owner, std::string envelope) : host(owner), m(std::move(envelope)) {}

  job_host& host;
  message m;
  task_state* task = nullptr;
  double received_s = 0;  // wall, Unix seconds
  double leased_s = 0;    // when Redis was last told that it is still held
  double started_s = 0;
  bool acks_late = false;
  bool acknowledged = false;
  bool noted = false;         // in running:<instance>
  bool rate_waiting = false;  // held back by a rate limit; counts as prefetched
  int questions = 0;          // how often the other workers were asked whether they know its task
  bool rate_granted = false;  // by the rate limit that all workers share

  // Set by the worker's loop, read by the task.
  std::atomic<bool> aborted{false};
  std::atomic<bool> soft_limit_passed{false};
  // Whoever sets it first decides how the job ended: the thread that ran it, or the loop (time
  // limit, revoke).
  std::atomic<bool> settled{false};

  // How it ended; written before it is handed to the loop.
  outcome ended = outcome::success;
  std::string result_json;
  std::string result_repr;
  failure_info problem;
  double runtime_s = 0;
  std::string document;              // to be stored; empty: nothing
  std::vector<addressed> followers;  // messages to be sent with the acknowledgement
  std::vector<std::pair<std::string, std::string>> follower_chords;  // key, value: see chord_keys()
  std::vector<std::string> follower_events;  // task-sent, raw fields; when they are wanted
  std::vector<std::pair<std::string, std::string>> more_results;  // id, document: failed chains
  std::vector<chord_part> chord_parts;  // of the chord that it is a member of, or its failed chain
  std::mutex children_mutex;
  json_array children;

  [[nodiscard]] bool stores_result() const;
  // The last failure that is borne: then the message goes to the dead letters.
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

// Decodes the body, calls the function and settles the job. For functions; on a thread of the pool.
// False when the loop had settled it meanwhile.
bool run_job(job& j);

// Settles a job with what its function returned or threw, and prepares everything that follows: the
// result document, callbacks, the chain's next step, retries. False when it was settled already.
bool settle(job& j, message_body body, const std::exception_ptr& thrown, json value);
// Settles it as failed or revoked from outside the task.
bool settle_failed(job& j, failure_info problem, outcome how);

}  // namespace skirmish::tasks
