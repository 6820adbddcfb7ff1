// Where the broker of the task tools is, and running something against it.
#pragma once

#include "cli/cli.hpp"
#include "cli/secret_arguments.hpp"
#include "core/log.hpp"
#include "redis/client.hpp"
#include "redis/key_space.hpp"
#include "tasks/admin/operator.hpp"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <string>

namespace skirmish::cli {

// --broker, else redis.url, else the embedded server of the data directory while `serve` runs it.
struct broker_flags {
  std::string url;
  bool as_json = false;
  config_flags settings;

  void add_to(CLI::App& command) {
    settings.add_to(command);
    command.add_option("-b,--broker", url,
                       "Redis URL of the broker (default: redis.url, or serve's own Redis)");
  }
  void add_with_json(CLI::App& command) {
    add_to(command);
    command.add_flag("--json", as_json, "print JSON");
  }
  [[nodiscard]] std::string resolve() const {
    const auto c = settings.load();
    if (!url.empty()) {
      if (holds_secret("redis.url", url))
        warn_of_secret_argument("--broker", "redis.url_file or REDIS_URL");
      return url;
    }
    if (!c.redis.url.empty()) return c.redis.url;
    return "unix://" +
           std::filesystem::absolute(std::filesystem::path(c.server.data_dir) / "redis.sock")
               .string();
  }
  // An operator wants the answer alone, not news of connections. Call it last: loading the settings
  // sets the level.
  void be_quiet() const {
    if (settings.load().server.log_level == "info") log::set_level(log::level::warn);
  }
  // The world whose tasks these are.
  [[nodiscard]] redis::key_space keys() const {
    auto made = redis::key_space::of_world(settings.load().server.world);
    if (!made) throw usage_error{"server.world: " + made.error().message};
    return std::move(*made);
  }
};

// Runs `work(broker_view)` with a connected client and returns what it returns.
template <class Work>
auto with_broker(const broker_flags& flags, Work work) {
  const auto parsed = redis::parse_url(flags.resolve());
  if (!parsed) throw usage_error{"bad broker URL: " + parsed.error().message};
  tasks::key_names keys;
  keys.prefix = keys.result_prefix = flags.keys().prefix();
  keys.database = parsed->database;
  flags.be_quiet();
  return run([&](asio::io_context& io) -> std::invoke_result_t<Work, tasks::broker_view> {
    redis::client client(io, *parsed, "skirmish-task");
    task_group group(io);
    group.spawn("redis", [&client] { return client.run(); });
    co_await client.wait_connected(std::chrono::seconds(5));
    const tasks::broker_view at{io, client, keys};
    if constexpr (std::is_void_v<
                      typename std::invoke_result_t<Work, tasks::broker_view>::value_type>) {
      co_await work(at);
      client.stop();
      co_await group.wait(std::chrono::seconds(2));
    } else {
      auto out = co_await work(at);
      client.stop();
      co_await group.wait(std::chrono::seconds(2));
      co_return out;
    }
  });
}

}  // namespace skirmish::cli
