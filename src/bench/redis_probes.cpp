#include "bench/redis_probes.hpp"

#include "core/parse.hpp"

namespace skirmish::cli {
namespace {

constexpr redis::exec_options patient{std::chrono::seconds(30)};
constexpr int noted_limit = 100'000;

// A line `name:value` of INFO; 0 when it is not there.
awaitable<std::int64_t> info(redis::client& redis, std::string section, std::string name) {
  const auto told = redis::checked(co_await redis.command("INFO", section));
  const std::string_view text = told.as_string();
  const auto at = text.find(name + ":");
  if (at == text.npos) co_return 0;
  const auto value = text.substr(at + name.size() + 1);
  co_return parse_integer(value.substr(0, value.find('\r'))).value_or(0);
}

}  // namespace

awaitable<pid_t> process_of(redis::client& redis) {
  co_return static_cast<pid_t>(co_await info(redis, "server", "process_id"));
}

awaitable<void> watch_scripts(redis::client& redis, std::chrono::microseconds longer_than) {
  redis::request set;
  set.push("CONFIG", "SET", "slowlog-log-slower-than", longer_than.count());
  set.push("CONFIG", "SET", "slowlog-max-len", noted_limit);
  set.push("SLOWLOG", "RESET");
  redis::checked(co_await redis.exec(std::move(set)));
}

awaitable<std::vector<double>> slow_scripts(redis::client& redis, std::string first_key) {
  redis::request get;
  get.push("SLOWLOG", "GET", noted_limit);
  const auto log = redis::checked(co_await redis.exec(std::move(get), patient));
  std::vector<double> out;
  for (const auto& entry : log.at(0).elements()) {
    // number, time, microseconds, words, …
    const auto words = entry[3].as_strings();
    const bool is_script = words.size() > 3 && (words[0] == "EVALSHA" || words[0] == "EVAL");
    if (is_script && words[3].starts_with(first_key))
      out.push_back(static_cast<double>(entry[2].as_integer().value_or(0)) / 1e3);
  }
  co_return out;
}

awaitable<std::int64_t> used_memory(redis::client& redis) {
  return info(redis, "memory", "used_memory");
}

awaitable<double> memory_of_keys_mb(redis::client& redis, std::string pattern) {
  const auto names = redis::checked(co_await redis.command("KEYS", pattern));
  redis::request ask;
  for (const auto& name : names.as_strings()) ask.push("MEMORY", "USAGE", name, "SAMPLES", 1'000);
  if (ask.get_commands() == 0) co_return 0;
  const auto sizes = redis::checked(co_await redis.exec(std::move(ask), patient));
  double sum = 0;
  for (const auto& size : sizes) sum += static_cast<double>(size.as_integer().value_or(0));
  co_return sum / 1e6;
}

}  // namespace skirmish::cli
