// What all subcommands share: flags, running coroutines to their end, and exit codes.
#pragma once

#include "config.hpp"
#include "config_sources.hpp"
#include "core/asio.hpp"
#include "core/error.hpp"
#include "core/run.hpp"
#include "core/usage_error.hpp"

#include <CLI/CLI.hpp>

#include <string>
#include <utility>
#include <vector>

namespace skirmish::cli {

// 0 done, 1 failed, 2 bad usage.
enum exit_code : int { done = 0, failed = 1, bad_usage = 2 };

// `--config`, `--set`, `--data-dir` and `--log-level`, and the configuration they make.
class config_flags {
 public:
  void add_to(CLI::App& command);
  // A flag of its own for a setting: add(command, "--listen", "http.listen", "ADDR").
  void add(CLI::App& command, const std::string& flag, const std::string& setting,
           const std::string& value_name);
  // Throws usage_error.
  [[nodiscard]] config load() const;
  // Where the settings of load() come from. Throws usage_error.
  [[nodiscard]] config_sources sources() const;

 private:
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> overrides() const;

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

// What was made of the settings; usage_error when they do not fit.
template <class T>
T value_or_usage(result<T> outcome) {
  if (!outcome) throw usage_error{outcome.error().message};
  return std::move(*outcome);
}

// Each subcommand registers itself; its callback sets `code` or throws usage_error or failure.
void add_serve(CLI::App& app, int& code);
void add_operator_tools(CLI::App& app, int& code);  // check, migrate, apikey, key
void add_ban_tools(CLI::App& app, int& code);       // ban
void add_replay(CLI::App& app, int& code);
void add_simulate(CLI::App& app, int& code);
void add_bench(CLI::App& app, int& code);
void add_status_worker(CLI::App& app, int& code);

}  // namespace skirmish::cli
