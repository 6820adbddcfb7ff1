// Fan-out of chat to the WebSockets of one server thread.
//
// Lossless: a message reaches every subscriber once and in the order of the channel's history, also
// across a resume
// (`since`) and across a lost connection to Redis, whose gap is read from the history. A reader too
// slow for its queue is closed (3008) and can resume; it never delays the others.
//
// A message is encoded once. A channel with many members is not fanned out at each message but at
// most once every `members × pace_per_member`: a write costs a few microseconds whatever its size,
// so a busy channel gets fewer, larger ones, and a quiet one is delivered at once.
#pragma once

#include "chat/chat.hpp"
#include "chat/presence.hpp"
#include "core/task_group.hpp"
#include "realtime/realtime.hpp"
#include "redis/subscriber.hpp"

#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace skirmish::chat {

class hub {
 public:
  static constexpr std::chrono::microseconds pace_per_member{10};
  static constexpr std::size_t held_limit = 20'000;  // messages kept for one that reads history
  static constexpr std::int64_t page_limit =
      1'000;  // messages in the answer to `subscribe`; more follow as pushes

  hub(asio::io_context& io, service& chat, presence& present, redis::subscriber& subscriber,
      task_group& group, metrics::registry& metrics);
  ~hub();

  // Answers `{"subscribe":{"channel","since"?,"as"?}}`.
  awaitable<result<void>> join(realtime::connection& c, std::string name,
                               const realtime::json::object& message);
  void leave(realtime::connection& c, const std::string& name);

 private:
  struct frame {
    message_id id;
    std::string encoded;
  };
  struct member;
  struct channel;

  void receive(const std::string& name, std::string_view payload);
  void deliver(channel& at, message_id id, std::string_view text);
  // The sockets of that player; of everybody when it is empty.
  void put_out(channel& at, const std::string& player_id, std::string_view reason);
  void schedule(channel& at);
  void fan_out(channel& at);
  static void push_unseen(const channel& at, const member& m);
  awaitable<void> mend(std::string name);
  awaitable<result<void>> admit(realtime::connection& c, const std::string& channel,
                                const realtime::json::object& body, std::string& as);
  awaitable<void> catch_up(realtime::connection& c, std::string name, realtime::json::value cid,
                           std::optional<message_id> since);
  channel* find(const std::string& name);
  member* find(const std::string& name, realtime::connection& c);

  asio::io_context& io_;
  service& chat_;
  presence& presence_;
  redis::subscriber& subscriber_;
  task_group& group_;
  std::map<std::string, std::unique_ptr<channel>> channels_;
  metrics::counter& delivered_;
};

}  // namespace skirmish::chat
