// The state of the task system as operators look at it: queues and workers, computed once per
// second by one thread of a server, however many look. Also which tasks have changed.
//
//   overview_board    what was computed, for all threads
//   overview_keeper   computes it
#pragma once

#include "core/event.hpp"
#include "core/task_group.hpp"
#include "redis/subscriber.hpp"
#include "tasks/admin/known_workers.hpp"
#include "tasks/admin/list_flow.hpp"
#include "tasks/admin/operator.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace skirmish::tasks {

// JSON as the routes answer it, and as the WebSocket channels send it.
struct overview {
  std::chrono::steady_clock::time_point at;
  std::string queues;
  std::string workers;
};

// Rows of tasks that have changed, as JSON: {"items", "left_out"}.
struct changed_tasks {
  std::string rows;
};

// Thread-safe.
class overview_board {
 public:
  // Null before the first one.
  [[nodiscard]] std::shared_ptr<const overview> latest() const;
  void put(std::shared_ptr<const overview> next);

  [[nodiscard]] std::shared_ptr<const changed_tasks> latest_tasks() const;
  void put_tasks(std::shared_ptr<const changed_tasks> next);

  // Something was changed that the next one should show: wakes who computes it, on its own loop.
  void ask();
  void wake_by(std::weak_ptr<event> asked);

  // Changed tasks are only looked up while somebody reads them.
  std::atomic<int> task_readers{0};

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const overview> latest_;
  std::shared_ptr<const changed_tasks> latest_tasks_;
  std::weak_ptr<event> asked_;
};

// Belongs to one thread.
class overview_keeper {
 public:
  static constexpr std::size_t queues_limit = 1'000;  // shown

  overview_keeper(asio::io_context& io, redis::client& redis, redis::subscriber& subscriber,
                  key_names keys, overview_board& board);

  // Until cancelled. Give both to a task_group: run() computes, run_pings() asks the workers.
  awaitable<void> run();
  awaitable<void> run_pings();

 private:
  struct queue_state {
    struct list {
      list_flow flow;
      std::string newest;
      std::int64_t fetched = 0;
      std::int64_t depth = 0;
    };
    std::array<list, priority_steps.size()> lists;
    bool was_seen = false;
  };

  void hear(std::string_view envelope);
  awaitable<void> ping();
  awaitable<void> compute();
  awaitable<void> look_at_workers();
  awaitable<void> note_changes(known_workers::changes changed);
  // Names come from a walk through all keys, a bounded part per second, from what has registered,
  // and from workers.
  awaitable<void> find_queues();
  awaitable<void> walk_bindings();
  awaitable<void> look_at_queues();
  awaitable<void> look_at(const std::vector<std::string>& names);
  awaitable<void> count_held();
  [[nodiscard]] json_object queues_body() const;
  [[nodiscard]] json_object item_of(const std::string& name, const queue_state& state) const;

  asio::io_context& io_;
  redis::client& redis_;
  redis::subscriber& subscriber_;
  key_names keys_;
  overview_board& board_;
  known_workers workers_;
  bool are_lost_restored_ = false;
  std::string walk_cursor_ = "0";
  std::set<std::string> walked_, walking_;  // by the last whole walk, and by this one
  std::set<std::string> registered_;
  std::map<std::string, queue_state> queues_;
  std::set<std::string> paused_;
  std::map<std::string, std::int64_t, std::less<>> held_;
  bool are_held_known_ = false;
  bool is_truncated_ = false;
  unsigned turns_ = 0;
};

}  // namespace skirmish::tasks
