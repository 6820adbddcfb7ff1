#include "bench/board_reader.hpp"

#include "cli/cli.hpp"

#include <boost/asio/steady_timer.hpp>

namespace skirmish::cli {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

board_reader::board_reader(server_address server, std::string target, std::int64_t rate)
    : server_(std::move(server)), target_(std::move(target)), rate_(rate) {
  thread_ = std::thread([this] {
    try {
      skirmish::run([this](asio::io_context& io) { return read(io); });
    } catch (...) {
      ++failed_;
    }
  });
}

void board_reader::stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

awaitable<void> board_reader::read(asio::io_context& io) {
  http_client client(io, server_, "");
  asio::steady_timer timer(io);
  const auto begin = steady::now();
  for (std::int64_t i = 0; !stopping_; ++i) {
    const auto due = begin + i * 1'000'000us / rate_;
    timer.expires_at(due);
    co_await timer.async_wait(use_awaitable);
    const auto answer = co_await client.get(target_);
    const std::chrono::duration<double, std::milli> took = steady::now() - due;
    latencies_ms_.push_back(took.count());
    if (answer.status != 200) ++failed_;
  }
}

}  // namespace skirmish::cli
