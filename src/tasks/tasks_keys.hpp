// Every Redis key and channel of the task system. The first half is Celery's and kombu's own; the
// second is ours and unknown to Python. `P` is the broker's global key prefix (empty by default).
//
//   P<queue>, P<queue>\x06\x16<3|6|9>   list     ready messages by priority step; the right end is
//   next Punacked                            hash     tag → [envelope, exchange, routing key] of
//   each message that is held Punacked_index                      zset     tag → when it was taken
//   or last refreshed P_kombu.binding.<exchange>          set      who is bound to an exchange
//   celery-task-meta-<id>               string   result, 24 h; also the channel that announces it
//   celery-taskset-meta-<gid>.j .s .t   zset, string, string   parts of a chord, 24 h
//   P/<db>.celery.pidbox, P/<db>.celeryev/<type>   channels   remote control, events
//
//   Pskirmish:tasks:workers             zset     instance → its last heartbeat (Unix seconds by
//   Redis' clock) Pskirmish:tasks:worker:<instance>   hash     node, pid, started, queues of an
//   instance; 1 day, refreshed Pskirmish:tasks:running:<instance>  hash     tag → {"id", "task"} of
//   started tasks that were acknowledged early Pskirmish:tasks:eta                 zset
//   "<list>\n<envelope>" → when it becomes ready Pskirmish:tasks:dead                list     dead
//   letters, newest first, at most 10,000 Pskirmish:tasks:revoked             zset     id → when it
//   may be forgotten (Unix seconds); at most 50,000 Pskirmish:tasks:paused              set names
//   of paused queues Pskirmish:tasks:chords              hash     gid → how to fire a complete
//   chord whose worker died before it did Pskirmish:tasks:rate:<task>         string   GCRA state
//   of a shared rate limit, as long as it matters Pskirmish:tasks:once:<key>          string   the
//   id sent under a deduplication key, as long as the sender asked Pskirmish:tasks:failures:<id>
//   string   how often a message failed, 1 day Pskirmish:tasks:beat                hash     entry →
//   {"name", "schedule", …} added at run time Pskirmish:tasks:beat:last           hash     entry →
//   when it last ran (Unix seconds) Pskirmish:tasks:beat:leader         string   the leading beat's
//   token, 10 s Pskirmish:tasks:history:…           see history.hpp
#pragma once

#include <array>
#include <string>
#include <string_view>

namespace skirmish::tasks {

inline constexpr std::string_view separator = "\x06\x16";
inline constexpr std::array<int, 4> priority_steps{0, 3, 6, 9};

// The greatest step that is not above the priority, which is clamped to 0..9.
constexpr int priority_step(int priority) noexcept {
  return priority >= 9 ? 9 : priority >= 6 ? 6 : priority >= 3 ? 3 : 0;
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
