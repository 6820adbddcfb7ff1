// Which workers there are, as far as can be told from what is heard of them: C++ workers register
// in Redis, all send heartbeat events unless they were told not to, and all answer a ping. One that
// falls silent without a farewell is lost: it stays in the list for an hour, so that somebody sees
// it.
//
// Pure: the caller reads Redis and tells the time. Bounded: the lost ones go first.
#pragma once

#include "skirmish/tasks/types.hpp"
#include "tasks/protocol/wall_time.hpp"

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skirmish::tasks {

class known_workers {
 public:
  static constexpr std::size_t limit_workers = 1'000;
  static constexpr std::chrono::seconds lost_after{15};  // of silence
  static constexpr std::chrono::hours lost_shown{1};

  // The workers in Redis, as workers() lists them; the one with this heartbeat is as old as
  // `now` says by Redis' clock.
  void see_registered(const json_array& listed, wall_time now);
  // A worker-online or worker-heartbeat event, and a farewell.
  void hear(std::string_view node, const json_object& event, wall_time now);
  void hear_farewell(std::string_view node);
  // An answer to active_queues.
  void see_answer(std::string_view node, const json& answer, wall_time now);
  // One that was lost before this process started.
  void restore(const json_object& lost);

  struct changes {
    std::vector<json_object> lost;   // from now on
    std::vector<std::string> found;  // nodes that are not lost any more, or not shown any more
  };
  // Decides who is lost by now.
  changes update(wall_time now);

  // As `GET /api/workers` lists them, by node.
  [[nodiscard]] json_array list() const;
  // Of those that are online.
  [[nodiscard]] std::vector<std::string> served_queues() const;
  // How many of them serve a queue.
  [[nodiscard]] std::map<std::string, std::int64_t, std::less<>> consumers() const;

 private:
  struct entry {
    std::string node;
    std::string instance;  // of C++ workers: two may share a name
    bool is_celery = true;
    wall_time seen{};
    std::optional<wall_time> lost_at;
    std::optional<std::vector<std::string>> queues;
    bool has_answered = false;  // what it answered is newer than what it registered
    json_object about;          // further members of the list's item
  };
  entry* find_or_add(std::string_view node, std::string_view instance);
  entry* find_node(std::string_view node);
  static json_object item_of(const entry& e);

  std::map<std::string, entry, std::less<>> all_;  // by node and instance
};

}  // namespace skirmish::tasks
