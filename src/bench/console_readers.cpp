#include "bench/console_readers.hpp"

#include "core/run.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <poll.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <string>

namespace skirmish::cli {
namespace {

using namespace std::chrono_literals;

constexpr std::array<const char*, 4> channels{"metrics", "tasks", "queues", "workers"};

// What one page reads in ten seconds, as web/src/pages/now.tsx does.
constexpr std::array<const char*, 8> routes{"/api/readyz",  "/api/readyz",
                                            "/api/queues",  "/api/queues",
                                            "/api/workers", "/api/dead-letters?limit=100",
                                            "/api/metrics", "/api/server/status/debug"};
constexpr std::chrono::nanoseconds round = 10s;

}  // namespace

console_readers::console_readers(const server_address& server, const std::string& api_key,
                                 std::int64_t count)
    : server_(server), key_(api_key), count_(count) {
  for (std::int64_t i = 0; i < count; ++i) {
    sockets_.push_back(std::make_unique<chat_socket>(server, api_key));
    for (const auto* channel : channels) sockets_.back()->subscribe(channel, "");
  }
  const auto guarded = [this](auto work) {
    return [this, work](const std::stop_token& ended) {
      try {
        work(ended);
      } catch (const failure&) {
        ++failures_;  // the server went away
      }
    };
  };
  pushes_ = std::jthread(guarded([this](const std::stop_token& ended) { read_pushes(ended); }));
  routes_ = std::jthread(guarded([this](const std::stop_token& ended) { read_routes(ended); }));
}

console_readers::~console_readers() {
  pushes_.request_stop();
  routes_.request_stop();
}

void console_readers::read_pushes(const std::stop_token& ended) {
  std::vector<pollfd> asked;
  for (const auto& s : sockets_) asked.push_back({s->descriptor(), POLLIN, 0});
  while (!ended.stop_requested()) {
    if (::poll(asked.data(), asked.size(), 100) <= 0) continue;
    for (std::size_t i = 0; i < asked.size(); ++i) {
      if (asked[i].fd < 0 || asked[i].revents == 0) continue;
      const bool is_open = sockets_[i]->read([this](std::string_view) { ++messages_; });
      if (is_open) continue;
      ++failures_;
      asked[i].fd = -1;
    }
  }
}

// All of them over one connection, evenly.
void console_readers::read_routes(const std::stop_token& ended) {
  run([&](asio::io_context& io) -> awaitable<void> {
    http_client client(io, server_, key_);
    asio::steady_timer pause(io);
    const auto step = round / (count_ * static_cast<std::int64_t>(routes.size()));
    auto next = std::chrono::steady_clock::now();
    for (std::size_t i = 0; !ended.stop_requested(); ++i) {
      const std::string path = routes[i % routes.size()];
      const auto answer = co_await client.get(path);
      ++requests_;
      if (answer.status != 200) ++failures_;
      next += step;
      pause.expires_at(next);
      error_code ignored;
      co_await pause.async_wait(asio::redirect_error(use_awaitable, ignored));
    }
  });
}

}  // namespace skirmish::cli
