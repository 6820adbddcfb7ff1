// The history of tasks, recorded from events of C++ and Python workers and kept in Redis, so that
// it survives restarts. `H` is skirmish:tasks:history:
//
//   Hall            zset    id → time of its last event; this and the next ones 7 days
//   Hstate:<STATE>  zset    the same, of the tasks in that state
//   Hname:<task>    zset    the same by name; Hworker:<node> by worker
//   Htask:<id>      hash    name, state, args, kwargs, worker, times…; 7 days
//   Hleader         string  the recorder that writes, 5 s
//
// Bounded: the oldest tasks beyond `limit_tasks` are removed. One recorder, the leader, writes;
// those of other processes keep the last seconds of events, so a failover loses none.
#pragma once

#include "core/task_group.hpp"
#include "redis/lease.hpp"
#include "redis/subscriber.hpp"
#include "tasks/admin/operator.hpp"
#include "tasks/protocol/wall_time.hpp"

#include <deque>
#include <optional>

namespace skirmish::tasks {

class history_recorder {
 public:
  history_recorder(asio::io_context& io, redis::client& redis, redis::subscriber& subscriber,
                   key_names keys, std::size_t limit_tasks = 100'000);
  // Records until its coroutine is cancelled. Give it to a task_group.
  awaitable<void> run();

 private:
  void on_event(std::string_view envelope);
  void note(const json_object& event);
  awaitable<void> write();

  asio::io_context& io_;
  redis::client& redis_;
  redis::subscriber& subscriber_;
  key_names keys_;
  std::size_t limit_tasks_;
  redis::lease lease_;
  struct pending_event {
    std::chrono::steady_clock::time_point at;
    std::vector<std::string> words;  // arguments of history.lua
  };
  std::deque<pending_event> pending_;
  bool leading_ = false;
};

struct history_query {
  std::string state, name, worker;        // empty: all
  std::optional<wall_time> since, until;  // by the time of a task's last event
  std::size_t limit = 50;
  std::size_t offset = 0;
};
struct history_page {
  json_array items;                 // newest first
  std::optional<std::size_t> next;  // offset of the next page, when there may be one
};
// With several conditions a page may be short without being the last one.
awaitable<history_page> read_history(broker_view at, history_query query);
// One task with its stored result, or not_found.
awaitable<result<json_object>> read_task(broker_view at, std::string id);

}  // namespace skirmish::tasks
