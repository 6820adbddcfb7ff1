#include "testing/relay.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <future>

namespace skirmish::cli {

using namespace std::chrono_literals;
using asio::ip::tcp;
using asio::local::stream_protocol;

namespace {

awaitable<void> breathe() {
  asio::steady_timer timer(co_await asio::this_coro::executor, 1ms);
  error_code ignored;
  co_await timer.async_wait(asio::redirect_error(use_awaitable, ignored));
}

}  // namespace

struct relay::link {
  link(tcp::socket client, asio::io_context& io) : near(std::move(client)), far(io) {}
  void close() {
    error_code ignored;
    near.close(ignored);
    if (!is_abandoned) far.close(ignored);
  }
  tcp::socket near;
  stream_protocol::socket far;
  bool is_abandoned = false;
};

relay::relay(std::string upstream)
    : upstream_(std::move(upstream)),
      acceptor_(io_, {asio::ip::address_v4::loopback(), 0}),
      port_(acceptor_.local_endpoint().port()) {
  tasks_.keep_running("relay", [this] { return accept(); });
  thread_ = std::thread([this] { run_loop(io_); });
}

relay::~relay() {
  io_.stop();
  thread_.join();
  io_.drop_waiting();
}

void relay::lead_to(std::string upstream) {
  std::promise<void> done;
  asio::post(io_, [this, &done, &upstream] {
    upstream_ = std::move(upstream);
    done.set_value();
  });
  done.get_future().wait();
  cut();
}

void relay::cut() { close_all(false); }
void relay::abandon() { close_all(true); }

void relay::close_all(bool keeps_servers_ends) {
  // The caller goes on when it has happened: what it sends next must not slip through before.
  std::promise<void> done;
  asio::post(io_, [this, &done, keeps_servers_ends] {
    for (const auto& one : links_) {
      const auto at = one.lock();
      if (!at) continue;
      at->is_abandoned = keeps_servers_ends;
      at->close();
      if (keeps_servers_ends) abandoned_.push_back(at);
    }
    links_.clear();
    done.set_value();
  });
  done.get_future().wait();
}

awaitable<void> relay::accept() {
  while (true) {
    auto client = co_await acceptor_.async_accept(use_awaitable);
    const auto at = std::make_shared<link>(std::move(client), io_);
    const stream_protocol::endpoint server(upstream_);
    const auto [problem] = co_await at->far.async_connect(server, asio::as_tuple(use_awaitable));
    if (problem) continue;
    ++accepted_;
    links_.push_back(at);
    tasks_.spawn("relay_requests", [this, at] { return pass_requests(at); });
    tasks_.spawn("relay_replies", [this, at] { return pass_replies(at); });
  }
}

awaitable<void> relay::pass_requests(std::shared_ptr<link> at) {
  std::array<char, 64 * 1024> buffer;
  while (true) {
    const auto [problem, size] =
        co_await at->near.async_read_some(asio::buffer(buffer), asio::as_tuple(use_awaitable));
    if (problem) break;
    const auto [lost, written] = co_await asio::async_write(at->far, asio::buffer(buffer, size),
                                                            asio::as_tuple(use_awaitable));
    if (lost) break;
  }
  at->close();
}

awaitable<void> relay::pass_replies(std::shared_ptr<link> at) {
  std::array<char, 64 * 1024> buffer;
  bool open = true;
  while (open) {
    const std::size_t piece =
        piece_bytes_ != 0 ? std::min(piece_bytes_.load(), buffer.size()) : buffer.size();
    const auto [problem, read] = co_await at->far.async_read_some(asio::buffer(buffer, piece),
                                                                  asio::as_tuple(use_awaitable));
    if (problem) break;
    const auto due = std::chrono::steady_clock::now() + delay_.load();
    while (at->near.is_open() && (held_ || std::chrono::steady_clock::now() < due))
      co_await breathe();
    auto size = read;
    if (const auto budget = budget_bytes_.load(); budget >= 0) {
      size = std::min(size, static_cast<std::size_t>(budget));
      open = static_cast<std::size_t>(budget) > size;
      budget_bytes_ = open ? budget - static_cast<std::int64_t>(size) : -1;
    }
    const auto [lost, written] = co_await asio::async_write(at->near, asio::buffer(buffer, size),
                                                            asio::as_tuple(use_awaitable));
    if (lost) break;
  }
  at->close();
}

}  // namespace skirmish::cli
