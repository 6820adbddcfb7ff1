#include "status/announcer.hpp"

#include "core/ids.hpp"
#include "core/log.hpp"
#include "status/webhook.hpp"

namespace skirmish::status {
namespace {

using namespace std::chrono_literals;

// A change that nobody could tell of in this time is no news any more.
constexpr auto news_life = 1h;
// Longer than any process may take over from another and tell of the same change again.
constexpr auto remembered_for = 24h;
constexpr auto retry_pause = 5s;

tasks::outgoing call_of(const std::string& name, const observation& game) {
  tasks::outgoing m;
  m.task = tasks::builtin::status_webhook;
  m.id = random_uuid();
  m.queue = tasks::builtin::queue;
  m.args.emplace_back(webhook_event(name, game));
  return m;
}

}  // namespace

announcer::announcer(asio::io_context& io, redis::client& redis, unsigned redis_database,
                     const redis::key_space& keys, const config& settings, const clock& time)
    : io_(io), redis_(redis), clock_(time), is_on_(!settings.status.webhook_url.empty()) {
  keys_.prefix = keys_.result_prefix = keys.prefix();
  keys_.database = redis_database;
  if (!is_on_) return;
  const auto target = parse_webhook_url(settings.status.webhook_url);
  if (!target) throw failure(target.error().code, target.error().message);
}

awaitable<void> announcer::tell(std::string name, observation game) {
  if (!is_on_ || game.changed_at == timestamp{} || told_[name] == game.changed_at) co_return;
  if (std::chrono::steady_clock::now() < try_again_at_) co_return;
  if (clock_.now() - game.changed_at < news_life) {
    try {
      const tasks::broker_view at{io_, redis_, keys_};
      auto once =
          "status:" + name + "@" + std::to_string(game.changed_at.time_since_epoch().count());
      auto call = call_of(name, game);
      co_await tasks::publish_once(at, std::move(call), std::move(once), std::string(),
                                   remembered_for);
    } catch (const failure& e) {
      try_again_at_ = std::chrono::steady_clock::now() + retry_pause;
      log::warn("status_webhook_not_sent", {{"name", name}, {"error", e.what()}});
      co_return;
    }
  }
  told_[name] = game.changed_at;
}

}  // namespace skirmish::status
