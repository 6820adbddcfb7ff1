// Who listens to what, and what Redis has been told about it. Knows no connection; only
// subscriber.cpp includes this.
#pragma once

#include "core/event.hpp"
#include "redis/subscriber.hpp"

#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace skirmish::redis::detail {

struct listener_entry {
  listener who;
  bool ended = false;            // ended while its topic is being delivered: removed afterwards
  bool missed_messages = false;  // to be told when the subscription stands again
};

struct topic {
  std::string name;
  bool is_pattern = false;
  std::list<listener_entry> listeners;
  unsigned delivering = 0;   // deliveries going on (they nest)
  bool subscribed = false;   // by what was sent, not by what was confirmed
  unsigned unconfirmed = 0;  // (un)subscriptions sent and not yet confirmed
  bool queued = false;       // stands in `changed_topics`

  [[nodiscard]] bool wanted() const noexcept;
  [[nodiscard]] bool confirmed() const noexcept { return subscribed && unconfirmed == 0; }
};

struct subscription_table {
  explicit subscription_table(asio::io_context& io);

  std::shared_ptr<topic> find_or_add(std::string name, bool is_pattern);
  void end(const std::shared_ptr<topic>& at, std::list<listener_entry>::iterator entry);
  void queue(const std::shared_ptr<topic>& at);

  // Takes at most `limit` of the changed topics, adds the commands which bring Redis in step with
  // them, and takes them as sent.
  void push_changes(request& to, std::size_t limit);

  void on_connected();
  void on_lost();
  void on_push(const value& push);

  std::vector<std::shared_ptr<topic>> changed_topics;
  event work_arrived;  // set when there are changed topics to send
  event progress;      // set when a subscription is confirmed, or the connection comes or goes

 private:
  struct hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>()(text);
    }
  };
  using topics = std::unordered_map<std::string, std::shared_ptr<topic>, hash, std::equal_to<>>;

  std::shared_ptr<topic> find(std::string_view name, bool is_pattern) const;
  void deliver(const std::shared_ptr<topic>& at, std::string_view channel,
               std::string_view payload);
  void confirm(const std::shared_ptr<topic>& at);
  // Calls `action` for each listener, which may end or add listeners meanwhile.
  void for_each_listener(topic& at, const std::function<void(listener_entry&)>& action);

  topics channels_;
  topics patterns_;
};

}  // namespace skirmish::redis::detail
