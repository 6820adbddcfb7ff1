#include "chat/chat_feature.hpp"

#include "chat/chat_routes.hpp"
#include "core/log.hpp"
#include "core/message_of.hpp"

namespace skirmish::chat {

feature::feature(asio::io_context& io, redis::client& redis, redis::subscriber& subscriber,
                 const redis::key_space& keys, const clock& time, task_group& group,
                 metrics::registry& metrics, settings s)
    : chat_(redis, keys, time, std::move(s)),
      lists_(redis, keys, time, chat_),
      presence_(redis, keys, time),
      hub_(io, chat_, presence_, subscriber, group, metrics) {}

void feature::add_to(http::router& routes, realtime::gateway& gateway) {
  add_routes(routes, chat_, presence_, lists_);
  add_messages(gateway, chat_, hub_);
}

void feature::start(task_group& group) {
  group.keep_running("presence", [this] { return presence_.run(); });
}

awaitable<void> feature::stop() {
  try {
    co_await presence_.leave_all();
  } catch (...) {
    log::warn("presence_not_left", {{"error", message_of(std::current_exception())}});
  }
}

}  // namespace skirmish::chat
