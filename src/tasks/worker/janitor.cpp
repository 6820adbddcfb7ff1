#include "tasks/worker/janitor.hpp"

#include "tasks/protocol/wall_time.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace skirmish::tasks {
namespace {

constexpr std::size_t stale_part = 200;
constexpr std::size_t bindings_part = 50;
constexpr std::size_t without_list_limit = 10'000;
constexpr std::int64_t monitors_limit = 100;
constexpr int dead_letters_limit = 10'000;

}  // namespace

janitor::janitor(worker_context& context, recoverer& recovers)
    : context_(context), recoverer_(recovers) {}

awaitable<void> janitor::sweep() {
  co_await sweep_stale_messages();
  co_await sweep_reply_queues();
  co_await sweep_monitors();
  co_await trim_dead_letters();
}

// Messages that nobody has refreshed for the visibility timeout: those of Python workers that died.
awaitable<void> janitor::sweep_stale_messages() {
  auto& redis = context_.side;
  const auto& names = context_.keys();
  const auto timeout = context_.application.options.visibility_timeout;
  const auto limit =
      fmt::format("{:.6f}", unix_now_s() - std::chrono::duration<double>(timeout).count());
  const auto stale = redis::checked(co_await redis.command("ZRANGEBYSCORE", names.unacked_index(),
                                                           "-inf", limit, "LIMIT", 0, stale_part));
  const auto tags = stale.as_strings();
  if (tags.empty()) co_return;
  redis::request ask;
  ask.push_range("HMGET", names.unacked(), tags);
  const auto payloads = redis::checked((co_await redis.exec(std::move(ask))).at(0));
  recoverer::tagged_payloads held;
  std::vector<std::string> without_message;
  for (std::size_t i = 0; i < tags.size(); ++i) {
    if (payloads[i].is_nil())
      without_message.push_back(tags[i]);
    else
      held.emplace_back(tags[i], payloads[i].as_string());
  }
  if (!without_message.empty()) {
    redis::request remove;
    remove.push_range("ZREM", names.unacked_index(), without_message);
    redis::checked(co_await redis.exec(std::move(remove)));
  }
  // Python does not record which had started.
  const std::set<std::string> none_started;
  if (!held.empty()) co_await recoverer_.put_back_held(std::move(held), none_started);
}

// For how long nobody has used a reply queue, as far as this worker knows.
awaitable<std::chrono::seconds> janitor::idle_time(const std::string& binding,
                                                   const std::string& list) {
  const auto idle = co_await context_.side.command("OBJECT", "IDLETIME", list);
  if (const auto seconds = idle.as_integer()) {
    without_list_.erase(binding);
    co_return std::chrono::seconds(*seconds);
  }
  const auto now = clock::now();
  const auto since = without_list_.emplace(binding, now).first->second;
  co_return std::chrono::duration_cast<std::chrono::seconds>(now - since);
}

// Clients that are killed leave the bindings of their reply queues behind. One that nobody has
// read for minutes, or that has had no list for so long, is abandoned; a living client binds again
// before it asks.
awaitable<void> janitor::sweep_reply_queues() {
  auto& redis = context_.side;
  const auto& names = context_.keys();
  const auto bindings = names.binding("reply.celery.pidbox");
  const auto members =
      redis::checked(co_await redis.command("SRANDMEMBER", bindings, bindings_part));
  for (const auto& member : members.as_strings()) {
    const auto cut = member.rfind(separator);
    if (cut == std::string::npos) continue;
    const auto list = names.prefix + member.substr(cut + separator.size());
    const auto idle = co_await idle_time(member, list);
    if (idle < context_.config.reply_idle_limit) continue;
    without_list_.erase(member);
    redis::request remove;
    remove.push("SREM", bindings, member);
    remove.push("DEL", list);
    co_await redis.exec(std::move(remove));
  }
  // Bindings that their client has removed itself would stay in this map.
  if (without_list_.size() > without_list_limit) without_list_.clear();
}

// Nothing reads the bindings of monitors (events are fanout), so too many of them are dropped.
awaitable<void> janitor::sweep_monitors() {
  const auto bindings = context_.keys().binding("celeryev");
  const auto count = co_await context_.side.command("SCARD", bindings);
  if (count.as_integer().value_or(0) > monitors_limit)
    co_await context_.side.command("UNLINK", bindings);
}

awaitable<void> janitor::trim_dead_letters() {
  redis::request trim;
  trim.push("LTRIM", context_.keys().own("dead"), 0, dead_letters_limit - 1);
  co_await context_.side.exec(std::move(trim));
}

}  // namespace skirmish::tasks
