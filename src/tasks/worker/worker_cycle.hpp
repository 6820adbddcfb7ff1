// One cycle of a worker: everything that one round trip to Redis writes, and how it becomes
// commands. Sending it exactly once is cycle_connection's part.
#pragma once

#include "redis/script.hpp"
#include "tasks/worker/job.hpp"

#include <cstdint>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace skirmish::tasks {

struct worker_cycle {
  // A job whose start is claimed, and what recovery needs when its worker dies (may be empty).
  struct early_start {
    job_ptr started;
    std::string record;
  };

  std::vector<early_start> early;         // acknowledged when they start
  std::vector<job_ptr> late;              // acknowledged when they have ended
  std::vector<std::string> ended_starts;  // tags whose record in running:<instance> goes
  std::vector<std::string> acks;          // tags
  std::vector<addressed> pushes;
  std::vector<std::string> deletes;                          // keys
  std::vector<std::pair<std::string, std::string>> results;  // key, document
  std::vector<std::pair<std::string, std::string>> failed;   // id, message: kept for a retry
  std::vector<std::string> events;                           // envelopes
  std::vector<chord_part> chord_parts;
  std::vector<std::string> sent_events;  // raw fields of task-sent events; not yet in envelopes
  std::vector<std::string> put_back;     // arguments of put_back.lua
  std::size_t document_bytes = 0;

  // A job that is about to start: early or late, as it is acknowledged.
  void add_start(const job_ptr& j);
  // What becomes of a job that has ended: its result, its acknowledgement and all that follows.
  void add_ended(job& j, const key_names& keys);
  // A message that goes to the dead letters instead of running.
  void add_dead_letter(job& j, const key_names& keys);
  // A message that goes to the end of its queue, for another worker that knows its task.
  void add_return(const job& j, const key_names& keys);

  [[nodiscard]] std::size_t starts() const noexcept { return early.size() + late.size(); }
  // In the order in which Redis numbers them.
  [[nodiscard]] const job_ptr& start_at(std::size_t position) const {
    return position < early.size() ? early[position].started : late[position - early.size()];
  }
  [[nodiscard]] bool empty() const;
};

// The commands of a cycle, in one pipeline. `with_results` is false when results (and chords) are
// kept in another Redis.
struct cycle_identity {
  const key_names& keys;
  std::string running_key, worker_key;  // of this worker
  std::uint64_t number = 0;
  std::int64_t result_ttl_s = 0;  // 0: none
};
redis::request cycle_commands(const worker_cycle& cycle, const cycle_identity& of,
                              bool with_results);
// The commands that store results and publish them in a Redis of their own.
void push_results(redis::request& to, const worker_cycle& cycle, std::int64_t result_ttl_s);

// What the next cycle writes on behalf of others than its jobs.
class pending_writes {
 public:
  void add_result(std::string key, std::string document);  // on any thread
  void add_delete(std::string key);                        // on the worker's loop
  void move_to(worker_cycle& cycle);                       // on the worker's loop

 private:
  std::mutex mutex_;
  std::vector<std::pair<std::string, std::string>> results_;
  std::vector<std::string> deletes_;
};

// An entry of the list of dead letters.
std::string dead_letter_entry(const job& j, std::string_view reason);

}  // namespace skirmish::tasks
