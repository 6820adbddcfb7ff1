// The history of tasks, recorded from events of C++ and Python workers and kept in Redis, so that
// it survives restarts. `H` is skirmish:tasks:history:
//
//   Hall            zset    id → time of its last event; this and the next ones 7 days
//   Hstate:<STATE>  zset    the same, of the tasks in that state
//   Hname:<task>    zset    the same by name; Hworker:<node> by worker
//   Hroot:<id>      zset    the same, of the tasks that this one led to; at most 2,000
//   Htask:<id>      hash    name, state, args, kwargs, worker, times…; 7 days
//   Hmessage:<id>   string  the message of a task that failed on a C++ worker; 7 days
//   Htext:<n>       string  what is searched by text, in blocks of 256 lines; 7 days
//   Htexts          hash    first, last: numbers of the blocks; lines of the last one; at:<n>: time
//                           of a block's last line
//   Hleader         string  the recorder that writes, 5 s
//
// Bounded: the oldest tasks beyond `limit_tasks` are removed. One recorder, the leader, writes;
// those of other processes keep the last seconds of events, so a failover loses none.
#pragma once

#include "core/event.hpp"
#include "core/task_group.hpp"
#include "redis/lease.hpp"
#include "redis/subscriber.hpp"
#include "tasks/admin/operator.hpp"
#include "tasks/admin/overview.hpp"
#include "tasks/protocol/wall_time.hpp"

#include <array>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace skirmish::tasks {

class history_recorder {
 public:
  history_recorder(asio::io_context& io, redis::client& redis, redis::subscriber& subscriber,
                   key_names keys, std::size_t limit_tasks = 100'000,
                   overview_board* board = nullptr);
  // Records until its coroutine is cancelled. Give it to a task_group.
  awaitable<void> run();

 private:
  void on_event(std::string_view envelope);
  void note(const json_object& event);
  awaitable<void> lead();
  awaitable<void> record();
  awaitable<void> write();
  // Puts the tasks that have changed on the board, at most once per second.
  awaitable<void> show_changes();

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
  event heard_;            // set by the first that is pending
  overview_board* board_;  // null: nobody wants to know
  std::set<std::string> changed_;
  std::size_t left_out_ = 0;
  std::chrono::steady_clock::time_point shown_at_{};
};

// The states of tasks in the history.
inline constexpr std::array<std::string_view, 8> history_states{
    "PENDING", "RECEIVED", "STARTED", "SUCCESS", "FAILURE", "RETRY", "REVOKED", "REJECTED"};
// "FAILURE,RETRY"; invalid_argument names what is no state.
result<std::vector<std::string>> parse_states(std::string_view words);

struct history_query {
  std::vector<std::string> states;        // empty: all
  std::string name, worker;               // empty: all
  std::string id;                         // a part of it
  std::string arguments;                  // a part of their text, whatever the case
  std::optional<wall_time> since, until;  // by the time of a task's last event
  std::size_t limit = 50;
  std::string cursor;  // of the page before
  // A search takes no longer than this and is partial then.
  milliseconds time_limit{700};
};
struct history_page {
  json_array items;  // newest first: by their last event, in a search by text by their first one
  std::string next;  // cursor of the next page; empty when there is none
  bool is_partial = false;  // the search ended early; `next` goes on
  // By state, of all tasks that fit the other conditions. On a first page only, and nullopt when
  // counting would take too long.
  std::optional<json_object> counts;
};
// The cursor names the last task that was looked at, so pages neither repeat nor miss one when
// others come. An error when the cursor is none of ours.
awaitable<result<history_page>> read_history(broker_view at, history_query query);
// Rows as in a page; those that are gone are left out.
awaitable<json_array> read_rows(broker_view at, std::vector<std::string> ids);
// One task with its stored result, or not_found.
awaitable<result<json_object>> read_task(broker_view at, std::string id);

}  // namespace skirmish::tasks
