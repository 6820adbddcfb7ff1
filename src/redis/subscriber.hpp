// Pub/Sub: one connection a thread, shared by all who listen there.
//
// The first listener of a channel subscribes it, the last one's end unsubscribes it. After a lost
// connection all subscriptions are made again; Redis keeps nothing for absent subscribers, so what
// was published meanwhile is missed, and listeners are told.
#pragma once

#include "core/asio.hpp"
#include "redis/client.hpp"

#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>

namespace skirmish::redis {

// Both run on the subscriber's thread and should be short; what they throw is logged and dropped.
// They may subscribe and end subscriptions, also their own.
struct listener {
  std::function<void(std::string_view channel, std::string_view payload)> on_message;
  // The subscription stands again after a lost connection. Optional.
  std::function<void()> on_reconnected = nullptr;
};

namespace detail {
struct subscription_table;
struct topic;
struct listener_entry;
}  // namespace detail

// While it lives, its listener is called. Movable; may outlive the subscriber.
class subscription {
 public:
  subscription() = default;  // of nothing
  ~subscription() { end(); }
  subscription(subscription&& other) noexcept;
  subscription& operator=(subscription&& other) noexcept;

  // Nothing published after this returns is missed (but for lost connections), so "subscribe,
  // confirm, then read the current state" loses no event. Throws unavailable when Redis has not
  // confirmed within `deadline`.
  awaitable<void> confirmed(std::chrono::steady_clock::duration deadline);
  void end() noexcept;
  explicit operator bool() const noexcept { return topic_ != nullptr; }

 private:
  friend class subscriber;
  std::weak_ptr<detail::subscription_table> table_;
  std::shared_ptr<detail::topic> topic_;
  std::list<detail::listener_entry>::iterator entry_{};
};

class subscriber {
 public:
  subscriber(asio::io_context& io, connection_config config, std::string name);
  ~subscriber();
  subscriber(const subscriber&) = delete;
  subscriber& operator=(const subscriber&) = delete;

  // Like client::run(): give it to a task_group that the subscriber outlives.
  awaitable<void> run();
  void stop();

  [[nodiscard]] bool connected() const noexcept { return client_.connected(); }
  [[nodiscard]] const client_stats& stats() const noexcept { return client_.stats(); }

  // Works at any time, connected or not.
  [[nodiscard]] subscription subscribe(std::string channel, listener who);
  // `pattern` as in PSUBSCRIBE: ?, *, [ab].
  [[nodiscard]] subscription subscribe_pattern(std::string pattern, listener who);

 private:
  subscription add(std::string name, bool is_pattern, listener who);
  awaitable<void> keep_in_step();
  awaitable<void> send_changes();

  client client_;
  std::shared_ptr<detail::subscription_table> table_;
};

}  // namespace skirmish::redis
