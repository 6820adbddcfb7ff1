// Every Redis key and channel of the task system. The first half is Celery's and kombu's own; the
// second is ours and unknown to Python. `P` is the broker's global key prefix (empty by default),
// `T` is `Pskirmish:tasks:`.
//
//   P<queue>                      list    ready messages of priority 0 to 2; the right end is next
//   P<queue>\x06\x16<3|6|9>       list    those of higher numbers, which are served later
//   Punacked                      hash    tag → [envelope, exchange, routing key], while held
//   Punacked_index                zset    tag → when it was taken or last refreshed
//   P_kombu.binding.<exchange>    set     who is bound to an exchange
//   celery-task-meta-<id>         string  result, 24 h; also the channel that announces it
//   celery-taskset-meta-<gid>.j   zset    parts of a chord, 24 h; .s: its size, .t: correction,
//                                         .d: members counted, .c: who sends the body, 5 min;
//                                         without suffix: its nesting, if members end in groups
//   P/<db>.celery.pidbox          channel remote control
//   P/<db>.celeryev/<type>        channel events
//
//   Tworkers              zset    instance → its last heartbeat (Unix seconds by Redis' clock)
//   Tworker:<instance>    hash    node, pid, started, queues; number of the last cycle; 1 day
//   Trunning:<instance>   hash    tag → of a started task: {"id", "message"?} when it was
//                                 acknowledged early, '' when late; 7 days
//   Teta                  zset    "<list>\n<envelope>" → when it is due
//   Tdead                 list    dead letters, newest first, at most 10,000
//   Trevoked              zset    id → when it may be forgotten (Unix seconds); at most 50,000
//   Tpaused               set     names of paused queues
//   Tqueues               set     names of queues that workers serve, or that were sent to by an
//                                 operator; kombu's bindings tell the others
//   Tfetched              hash    list → how many messages C++ workers have fetched from it
//   Tlost                 hash    "<node>\n<instance>" of a lost worker → what was known; 1 hour
//   Tchords               hash    gid → how to send the body of a complete chord, until it is sent
//   Trate:<task>          string  GCRA state of a shared rate limit, as long as it matters
//   Tonce:<key>           string  the id sent under a deduplication key; the caller chooses the TTL
//   Tbeat                 hash    entry → {"task", "every", …}, added at run time
//   Tbeat:last            hash    entry → when it last ran (Unix seconds)
//   Tbeat:fixed           hash    entry → the same, of the leader's configuration; 1 hour
//   Tbeat:leader          string  the leading beat's token, 10 s
//   Tdoctor               hash    "<gid> <members ended>" of an unfinished chord → since when
//                                 (Unix seconds) the doctor has seen it so; 1 day
//   Thistory:messages     list    ids of tasks whose message is kept, at most 20,000
//   Thistory:…            see history.hpp
#pragma once

#include "core/ids.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

namespace skirmish::tasks {

inline constexpr std::string_view separator = "\x06\x16";
inline constexpr std::array<int, 4> priority_steps{0, 3, 6, 9};

// The highest step that does not exceed the priority, which is clamped to 0..9.
constexpr int priority_step(int priority) noexcept {
  return priority >= 9 ? 9 : priority >= 6 ? 6 : priority >= 3 ? 3 : 0;
}

// True when a queue of this name shares its key with nothing else: an id without ':' that is not a
// key of ours or of Celery's. Queue names from outside must pass this.
inline bool is_queue_name(std::string_view name) {
  constexpr std::array<std::string_view, 5> taken{"unacked", "unacked_index", "unacked_mutex",
                                                  "interactions", "positions"};
  constexpr std::array<std::string_view, 3> families{"_kombu.", "celery-task-meta-",
                                                     "celery-taskset-meta-"};
  return is_valid_id(name) && name.find(':') == name.npos &&
         std::find(taken.begin(), taken.end(), name) == taken.end() &&
         std::none_of(families.begin(), families.end(),
                      [&](auto family) { return name.starts_with(family); });
}

// A member of a binding: which queue messages with this routing key go to.
inline std::string binding_member(std::string_view routing_key, std::string_view queue) {
  std::string out(routing_key);
  return out.append(separator).append(separator).append(queue);
}

struct key_names {
  std::string prefix;         // of the broker's keys
  std::string result_prefix;  // of the results' keys
  unsigned database = 0;

  [[nodiscard]] std::string queue(std::string_view name, int step) const {
    auto key = prefix + std::string(name);
    if (step != 0) key.append(separator).append(std::to_string(step));
    return key;
  }
  [[nodiscard]] std::string unacked() const { return prefix + "unacked"; }
  [[nodiscard]] std::string unacked_index() const { return prefix + "unacked_index"; }
  [[nodiscard]] std::string binding(std::string_view exchange) const {
    return prefix + "_kombu.binding." + std::string(exchange);
  }
  [[nodiscard]] std::string result(std::string_view id) const {
    return result_prefix + "celery-task-meta-" + std::string(id);
  }
  [[nodiscard]] std::string group(std::string_view id) const {
    return result_prefix + "celery-taskset-meta-" + std::string(id);
  }
  [[nodiscard]] std::string pidbox() const { return channel("celery.pidbox"); }
  [[nodiscard]] std::string event_channel(std::string_view routing_key) const {
    return channel("celeryev/") + std::string(routing_key);
  }
  // One of ours: key("worker:", instance).
  [[nodiscard]] std::string own(std::string_view name, std::string_view rest = {}) const {
    return (prefix + "skirmish:tasks:").append(name).append(rest);
  }

 private:
  [[nodiscard]] std::string channel(std::string_view name) const {
    return prefix + "/" + std::to_string(database) + "." + std::string(name);
  }
};

}  // namespace skirmish::tasks
