#include "bench/bench_support.hpp"

#include "core/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <utility>

namespace skirmish::cli {
namespace {

using namespace std::chrono_literals;

}  // namespace

scratch_directory::scratch_directory() {
  auto name = (std::filesystem::temp_directory_path() / "skirmish-bench-XXXXXX").string();
  if (!::mkdtemp(name.data()))
    throw failure(errc::unavailable, "cannot make a temporary directory");
  path_ = name;
}

scratch_directory::~scratch_directory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

bench_redis::~bench_redis() { server_.reset(); }

awaitable<void> bench_redis::start(std::string url) {
  if (url.empty()) {
    directory_.emplace();
    redis::embedded_options options;
    options.data_dir = directory_->path();
    server_ = std::make_unique<redis::embedded_server>(io_, std::move(options));
    co_await server_->start();
    config_ = server_->config();
    tasks_.spawn("redis_server", [this] { return server_->run(); });
  } else {
    auto parsed = redis::parse_url(url);
    if (!parsed) throw failure(errc::invalid_argument, parsed.error().message);
    config_ = std::move(*parsed);
  }
  client_ = std::make_unique<redis::client>(io_, config_, "skirmish-bench");
  run(*client_);
  co_await client_->wait_connected(10s);
  const auto size = redis::checked(co_await client_->command("DBSIZE"));
  if (size.as_integer().value_or(0) != 0)
    throw failure(errc::conflict, "this Redis holds data; give an empty one, or none");
}

void bench_redis::run(redis::client& other) {
  others_.push_back(&other);
  tasks_.spawn("redis", [&other] { return other.run(); });
}

awaitable<void> bench_redis::stop() {
  for (auto* other : others_) other->stop();
  if (server_) co_await server_->stop();
  tasks_.close();
  co_await tasks_.wait(10s);
}

process_times times_of(pid_t process) {
  process_times out;
  clockid_t id{};
  timespec worked{};
  if (::clock_getcpuclockid(process, &id) == 0 && ::clock_gettime(id, &worked) == 0)
    out.worked = std::chrono::seconds(worked.tv_sec) + std::chrono::nanoseconds(worked.tv_nsec);
  // Nanoseconds on a core, nanoseconds ready, turns (Documentation/scheduler/sched-stats of Linux).
  std::ifstream stat(fmt::format("/proc/{}/schedstat", process));
  std::int64_t on_core = 0;
  std::int64_t ready = 0;
  if (stat >> on_core >> ready) out.waited = std::chrono::nanoseconds(ready);
  return out;
}

latency_summary summarise(std::vector<double>& milliseconds) {
  if (milliseconds.empty()) return {};
  std::sort(milliseconds.begin(), milliseconds.end());
  const auto at = [&](std::size_t percent) {
    return milliseconds[(milliseconds.size() - 1) * percent / 100];
  };
  return {at(50), at(99), milliseconds.back()};
}

}  // namespace skirmish::cli
