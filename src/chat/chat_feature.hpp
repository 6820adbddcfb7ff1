// Chat as one feature of a server thread: the routes, the messages, and fan-out to sockets.
#pragma once

#include "chat/chat.hpp"
#include "chat/hub.hpp"
#include "chat/moderation.hpp"
#include "chat/presence.hpp"
#include "core/task_group.hpp"
#include "http/router.hpp"
#include "realtime/realtime.hpp"

namespace skirmish::chat {

class feature {
 public:
  feature(asio::io_context& io, redis::client& redis, redis::subscriber& subscriber,
          const redis::key_space& keys, const clock& time, task_group& group,
          metrics::registry& metrics, settings s);

  void add_to(http::router& routes, realtime::gateway& gateway);
  void start(task_group& group);
  // Tells that everybody on this thread has left.
  awaitable<void> stop();

  [[nodiscard]] service& chat() noexcept { return chat_; }

 private:
  service chat_;
  lists lists_;
  presence presence_;
  hub hub_;
};

}  // namespace skirmish::chat
