// The game servers beside the first (status.probes): each is asked, and has a document and a
// history of its own.
#pragma once

#include "config.hpp"
#include "core/clock.hpp"
#include "core/task_group.hpp"
#include "metrics/registry.hpp"
#include "redis/client.hpp"
#include "redis/key_space.hpp"
#include "status/damper.hpp"
#include "status/probe_url.hpp"
#include "status/servers.hpp"
#include "status/store.hpp"
#include "status/view.hpp"

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace skirmish::status {

// {"server":"arena","online":…}: what is kept under servers:status:<name>.
std::string server_json(std::string_view name, const observation& game);

// Belongs to the keeper and its thread.
class fleet {
 public:
  // Throws failure{invalid_argument} for a bad URL in status.probes.
  fleet(task_group& tasks, redis::client& redis, const redis::key_space& keys,
        const config& settings, const clock& time, metrics::registry& metrics, view_board& board);

  // Asks every server, without waiting for the answers.
  void probe_all();
  // Call it often: shows what others wrote, and asks again those that failed while this process
  // acts.
  awaitable<void> watch(bool is_redis_up, bool acts);

  // What is known of each that was asked or read of.
  [[nodiscard]] std::vector<std::pair<std::string, observation>> published() const;

 private:
  using steady = std::chrono::steady_clock;
  struct member {
    std::string name;
    probe_target target;
    damper seen;
    bool is_being_asked = false;
    steady::time_point again_at = steady::time_point::max();
  };

  void ask_soon(member& m, bool is_refresh);
  awaitable<void> ask(member& m, bool is_refresh);
  awaitable<void> write(const member& m, bool is_point);
  awaitable<void> read(bool acts);
  void show();

  task_group& tasks_;
  const config& settings_;
  const clock& clock_;
  store store_;
  view_board& board_;
  std::vector<member> members_;
  std::vector<std::string> names_;
  bool acts_ = false;
  metrics::counter& probes_;
  metrics::counter& failures_;
};

}  // namespace skirmish::status
