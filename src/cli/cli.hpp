// What all subcommands share: flags, running coroutines to their end, and exit codes.
#pragma once

#include "config.hpp"
#include "core/asio.hpp"
#include "core/run_loop.hpp"

#include <CLI/CLI.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace skirmish::cli {

// 0 done, 1 failed, 2 bad usage.
enum exit_code : int { done = 0, failed = 1, bad_usage = 2 };

// Thrown by subcommands to end with a message on standard error.
struct usage_error {
  std::string message;
};

// `--config`, `--set`, `--data-dir` and `--log-level`, and the configuration they make.
class config_flags {
 public:
  void add_to(CLI::App& command);
  // A flag of its own for a setting: add(command, "--listen", "http.listen", "ADDR").
  void add(CLI::App& command, const std::string& flag, const std::string& setting,
           const std::string& value_name);
  // Throws usage_error.
  [[nodiscard]] config load() const;

 private:
  std::string file_;
  std::vector<std::string> sets_;
  std::vector<std::pair<std::string, std::string>> named_;
};

// `--url` and `--api-key`: the server that a tool talks to.
struct server_flags {
  std::string url;      // empty: none given
  std::string api_key;  // flag, else SKIRMISH_API_KEY, else admin.key of the data directory when
                        // the server is local

  void add_to(CLI::App& command);
};

// Each subcommand registers itself; its callback sets `code` or throws usage_error or failure.
void add_serve(CLI::App& app, int& code);
void add_operator_tools(CLI::App& app, int& code);  // check, migrate, apikey, key
void add_ban_tools(CLI::App& app, int& code);       // ban
void add_replay(CLI::App& app, int& code);
void add_simulate(CLI::App& app, int& code);
void add_bench(CLI::App& app, int& code);
void add_status_worker(CLI::App& app, int& code);

// Runs a coroutine to its end on an event loop of its own and returns what it returned, or throws
// what it threw. Then nothing else runs on that loop any more: what the coroutine left behind may
// refer to its frame, which is gone.
template <class F>
auto run(F work) {
  using awaited = typename std::invoke_result_t<F, asio::io_context&>::value_type;
  std::optional<std::conditional_t<std::is_void_v<awaited>, bool, awaited>> out;
  std::exception_ptr problem;
  event_loop io{1};
  const auto drive = [&]() -> awaitable<void> {
    const stop_at_exit end{io};
    try {
      if constexpr (std::is_void_v<awaited>)
        co_await work(io);
      else
        out.emplace(co_await work(io));
    } catch (...) {
      problem = std::current_exception();
    }
  };
  asio::co_spawn(io, drive, asio::detached);
  run_loop(io);
  io.drop_waiting();
  if (problem) std::rethrow_exception(problem);
  if constexpr (!std::is_void_v<awaited>) return std::move(*out);
}

}  // namespace skirmish::cli
