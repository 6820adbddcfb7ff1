#include "redis/subscriber.hpp"

#include "core/log.hpp"
#include "redis/subscription_table.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/this_coro.hpp>

#include <utility>

namespace skirmish::redis {
namespace {

using namespace asio::experimental::awaitable_operators;

constexpr std::size_t batch_limit_topics = 1'000;

}  // namespace

subscription::subscription(subscription&& other) noexcept
    : table_(std::move(other.table_)),
      topic_(std::exchange(other.topic_, nullptr)),
      entry_(other.entry_) {}

subscription& subscription::operator=(subscription&& other) noexcept {
  if (this != &other) {
    end();
    table_ = std::move(other.table_);
    topic_ = std::exchange(other.topic_, nullptr);
    entry_ = other.entry_;
  }
  return *this;
}

void subscription::end() noexcept {
  const auto at = std::exchange(topic_, nullptr);
  const auto table = table_.lock();
  if (at && table) table->end(at, entry_);
}

awaitable<void> subscription::confirmed(std::chrono::steady_clock::duration deadline) {
  const auto limit = std::chrono::steady_clock::now() + deadline;
  const auto at = topic_;
  const auto table = table_.lock();
  if (!at || !table) throw failure(errc::unavailable, "the subscription has ended");
  while (!at->confirmed()) {
    if (std::chrono::steady_clock::now() >= limit)
      throw failure(errc::unavailable, "Redis did not confirm the subscription to " + at->name);
    co_await table->progress.wait_until(limit);
  }
}

subscriber::subscriber(asio::io_context& io, connection_config config, std::string name)
    : client_(io, std::move(config), std::move(name)),
      table_(std::make_shared<detail::subscription_table>(io)) {
  client_.set_events({.on_connected = [this] { table_->on_connected(); },
                      .on_lost = [this] { table_->on_lost(); },
                      .on_push = [this](const value& push) { table_->on_push(push); }});
}

subscriber::~subscriber() = default;

awaitable<void> subscriber::run() { co_await (client_.run() || keep_in_step()); }

void subscriber::stop() { client_.stop(); }

subscription subscriber::add(std::string name, bool is_pattern, listener who) {
  subscription handle;
  handle.table_ = table_;
  handle.topic_ = table_->find_or_add(std::move(name), is_pattern);
  auto& listeners = handle.topic_->listeners;
  handle.entry_ = listeners.insert(listeners.end(), detail::listener_entry{std::move(who)});
  table_->queue(handle.topic_);
  return handle;
}

subscription subscriber::subscribe(std::string channel, listener who) {
  return add(std::move(channel), false, std::move(who));
}

subscription subscriber::subscribe_pattern(std::string pattern, listener who) {
  return add(std::move(pattern), true, std::move(who));
}

// Tells Redis what changed in the table, until it is cancelled.
awaitable<void> subscriber::keep_in_step() {
  while (true) {
    if (client_.connected() && !table_->changed_topics.empty()) {
      co_await send_changes();
      continue;
    }
    co_await table_->work_arrived.wait();
  }
}

awaitable<void> subscriber::send_changes() {
  request changes;
  table_->push_changes(changes, batch_limit_topics);
  try {
    co_await client_.exec(std::move(changes));
  } catch (const failure& e) {
    // Only a lost connection gets here; once it is back, everything is sent again.
    log::warn("redis_subscribe_failed", {{"error", e.what()}});
  }
}

}  // namespace skirmish::redis
