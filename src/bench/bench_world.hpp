// A world to put under load: a Redis of its own, a server process, and what may happen to them.
#pragma once

#include "api_client/api_client.hpp"
#include "bench/bench_support.hpp"
#include "bench/interaction_load.hpp"
#include "redis/child_process.hpp"
#include "testing/relay.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace skirmish::cli {

enum class fault { kill_redis, kill_server, freeze_redis, cut_reply };

const char* name_of(fault f);
std::vector<fault> all_faults();
std::string fault_names();
std::optional<fault> parse_fault(const std::string& name);

struct world_options {
  std::int64_t server_threads = 1;
  bool through_relay = false;  // the server reaches Redis through something that can cut it off
};

struct audit_result {
  std::uint64_t lost = 0;           // interactions acknowledged and not counted
  std::uint64_t duplicated = 0;     // counted more than once
  std::uint64_t wrong_players = 0;  // whose damage, hit points or count is not what it must be
  // Pairs whose attack record is missing, older than one that was acknowledged, or without its TTL.
  std::uint64_t wrong_records = 0;
  [[nodiscard]] bool is_exact() const {
    return lost + duplicated + wrong_players + wrong_records == 0;
  }
};

class bench_world {
 public:
  bench_world(asio::io_context& io, world_options options);
  ~bench_world();

  awaitable<void> start_redis();
  awaitable<void> empty_redis();
  // Live states with so many hit points that nobody dies, and coins to trade.
  awaitable<void> make_players(std::int64_t count);
  awaitable<void> start_server();
  awaitable<void> stop();

  // Does it, and mends what it broke: a killed process is started again.
  awaitable<void> cause(fault f);

  // Compares what was acknowledged; everything must be settled.
  awaitable<audit_result> audit(const load_result& load, bool with_trades);
  // A line of the server's /proc/…/status, such as VmRSS.
  [[nodiscard]] double server_memory_mb(const std::string& line) const;
  awaitable<double> redis_used_mb();

  [[nodiscard]] redis::client& redis() { return redis_.client(); }
  [[nodiscard]] const redis::connection_config& redis_config() const { return redis_.config(); }
  [[nodiscard]] const server_address& server() const noexcept { return address_; }
  [[nodiscard]] const std::string& api_key() const noexcept { return key_; }
  [[nodiscard]] pid_t server_pid() const noexcept { return server_.pid(); }

 private:
  awaitable<std::uint64_t> wrong_records(const attack_expectations& records);
  void launch_server();
  awaitable<void> wait_for_server();
  awaitable<void> pause(std::chrono::milliseconds duration);

  asio::io_context& io_;
  world_options options_;
  bench_redis redis_;
  std::unique_ptr<relay> relay_;
  scratch_directory directory_;
  redis::child_process server_;
  server_address address_;
  std::string key_;
};

}  // namespace skirmish::cli
