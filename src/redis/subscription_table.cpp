#include "redis/subscription_table.hpp"

#include "core/log.hpp"

#include <algorithm>
#include <utility>

namespace skirmish::redis::detail {

bool topic::wanted() const noexcept {
  return std::any_of(listeners.begin(), listeners.end(),
                     [](const auto& one) { return !one.ended; });
}

subscription_table::subscription_table(asio::io_context& io) : work_arrived(io), progress(io) {}

std::shared_ptr<topic> subscription_table::find(std::string_view name, bool is_pattern) const {
  const auto& all = is_pattern ? patterns_ : channels_;
  const auto found = all.find(name);
  return found != all.end() ? found->second : nullptr;
}

std::shared_ptr<topic> subscription_table::find_or_add(std::string name, bool is_pattern) {
  if (auto found = find(name, is_pattern)) return found;
  auto added = std::make_shared<topic>();
  added->name = name;
  added->is_pattern = is_pattern;
  (is_pattern ? patterns_ : channels_).emplace(std::move(name), added);
  return added;
}

void subscription_table::queue(const std::shared_ptr<topic>& at) {
  if (std::exchange(at->queued, true)) return;
  changed_topics.push_back(at);
  work_arrived.set();
}

void subscription_table::end(const std::shared_ptr<topic>& at,
                             std::list<listener_entry>::iterator entry) {
  if (at->delivering > 0)
    entry->ended = true;
  else
    at->listeners.erase(entry);
  if (!at->wanted()) queue(at);
}

void subscription_table::push_changes(request& to, std::size_t limit) {
  const auto count = std::min(limit, changed_topics.size());
  std::vector<std::string_view> words[4];
  for (std::size_t i = 0; i < count; ++i) {
    auto& one = *changed_topics[i];
    one.queued = false;
    if (one.wanted() != one.subscribed) {
      one.subscribed = !one.subscribed;
      one.unconfirmed += 1;
      words[(one.is_pattern ? 2 : 0) + (one.subscribed ? 1 : 0)].push_back(one.name);
    } else if (!one.subscribed && one.unconfirmed == 0) {
      // Nobody listens and Redis knows: forget it. `changed_topics` still holds it.
      (one.is_pattern ? patterns_ : channels_).erase(one.name);
    }
  }
  to.push_range("UNSUBSCRIBE", words[0]);
  to.push_range("SUBSCRIBE", words[1]);
  to.push_range("PUNSUBSCRIBE", words[2]);
  to.push_range("PSUBSCRIBE", words[3]);
  changed_topics.erase(changed_topics.begin(),
                       changed_topics.begin() + static_cast<std::ptrdiff_t>(count));
}

void subscription_table::on_connected() {
  for (const auto* all : {&channels_, &patterns_})
    for (const auto& [name, one] : *all) queue(one);
  progress.set();
  work_arrived.set();
}

void subscription_table::on_lost() {
  for (const auto* all : {&channels_, &patterns_})
    for (const auto& [name, one] : *all) {
      if (one->confirmed())
        for (auto& entry : one->listeners) entry.missed_messages = true;
      one->subscribed = false;
      one->unconfirmed = 0;
    }
  progress.set();
}

void subscription_table::for_each_listener(topic& at,
                                           const std::function<void(listener_entry&)>& action) {
  if (at.listeners.empty()) return;
  ++at.delivering;
  // Those who join meanwhile come behind `last` and are left out.
  const auto last = std::prev(at.listeners.end());
  for (auto entry = at.listeners.begin();; ++entry) {
    try {
      if (!entry->ended) action(*entry);
    } catch (const std::exception& e) {
      log::error("subscriber_callback_failed", {{"channel", at.name}, {"error", e.what()}});
    }
    if (entry == last) break;
  }
  if (--at.delivering == 0) at.listeners.remove_if([](const auto& one) { return one.ended; });
}

void subscription_table::deliver(const std::shared_ptr<topic>& at, std::string_view channel,
                                 std::string_view payload) {
  if (!at) return;
  for_each_listener(*at, [&](listener_entry& entry) { entry.who.on_message(channel, payload); });
}

void subscription_table::confirm(const std::shared_ptr<topic>& at) {
  if (!at || at->unconfirmed == 0) return;
  at->unconfirmed -= 1;
  if (!at->subscribed) return queue(at);  // to be forgotten
  if (!at->confirmed()) return;
  progress.set();
  for_each_listener(*at, [](listener_entry& entry) {
    if (std::exchange(entry.missed_messages, false) && entry.who.on_reconnected)
      entry.who.on_reconnected();
  });
}

void subscription_table::on_push(const value& push) {
  if (push.is_error()) {  // a refused SUBSCRIBE is answered so
    log::warn("redis_subscribe_refused", {{"error", push.as_string()}});
    return;
  }
  const auto& parts = push.elements();
  if (parts.size() < 3) return;
  const std::string_view kind = parts[0].as_string();
  const std::string_view name = parts[1].as_string();
  if (kind == "message")
    deliver(find(name, false), name, parts[2].as_string());
  else if (kind == "pmessage" && parts.size() >= 4)
    deliver(find(name, true), parts[2].as_string(), parts[3].as_string());
  else if (kind == "subscribe" || kind == "unsubscribe")
    confirm(find(name, false));
  else if (kind == "psubscribe" || kind == "punsubscribe")
    confirm(find(name, true));
}

}  // namespace skirmish::redis::detail
