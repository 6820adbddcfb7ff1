#include "notifications/notifications_push.hpp"

#include "core/log.hpp"
#include "notifications/notifications_keys.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <fmt/format.h>

#include <deque>

namespace skirmish::notifications {
namespace {

using namespace std::chrono_literals;
namespace json = boost::json;

constexpr auto confirm_patience = 2s;

std::string player_of(const std::string& channel) {
  return channel.substr(pusher::channel_prefix.size());
}

}  // namespace

struct pusher::member {
  std::shared_ptr<realtime::connection> to;
  bool catching_up = true;  // reads what is unread; what comes meanwhile is held
  std::deque<std::pair<message_id, std::string>> held;
  message_id seen;
};

struct pusher::channel {
  std::map<realtime::connection*, member> members;
  redis::subscription source;
};

pusher::pusher(service& all, redis::subscriber& subscriber, const redis::key_space& keys,
               task_group& group)
    : all_(all), subscriber_(subscriber), keys_(keys), group_(group) {}

pusher::~pusher() = default;

awaitable<result<void>> pusher::join(realtime::connection& c, std::string name,
                                     const json::object& message) {
  const auto player_id = player_of(name);
  if (!c.who().may_act_as(player_id))
    co_return error{errc::forbidden, "a player may see only its own notifications"};
  auto& slot = channels_[name];
  if (!slot) slot = std::make_shared<channel>();
  const auto at = slot;  // kept here: the client may leave while this waits
  auto& me = at->members[&c];
  me.to = c.shared_from_this();
  me.catching_up = true;
  if (!at->source) {
    redis::listener who;
    who.on_message = [this, name](std::string_view, std::string_view payload) {
      receive(name, payload);
    };
    who.on_reconnected = [this, name] {
      group_.spawn("notifications_mend", [this, name] { return mend(name); });
    };
    at->source = subscriber_.subscribe(unread_key(keys_, player_id), std::move(who));
  }
  std::vector<notification> unread;
  std::exception_ptr problem;
  try {
    co_await at->source.confirmed(confirm_patience);
    unread = co_await all_.unread(player_id, std::nullopt, page_limit);
  } catch (const failure&) {
    problem = std::current_exception();
  }
  if (problem) {
    leave(c, name);
    std::rethrow_exception(problem);
  }
  const auto still = at->members.find(&c);
  if (still == at->members.end()) co_return result<void>{};
  json::array items;
  for (const auto& n : unread) items.push_back(to_json(n));
  if (!unread.empty()) still->second.seen = std::max(still->second.seen, unread.back().id);
  json::object told{{"channel", name}, {"unread", std::move(items)}};
  c.reply(realtime::cid_of(message), {{"subscribed", std::move(told)}});
  co_await send_rest(at, &c, player_id);
  co_return result<void>{};
}

void pusher::leave(realtime::connection& c, const std::string& name) {
  const auto at = channels_.find(name);
  if (at == channels_.end()) return;
  at->second->members.erase(&c);
  if (at->second->members.empty()) {
    at->second->source.end();
    channels_.erase(at);
  }
}

void pusher::receive(const std::string& name, std::string_view payload) {
  const auto at = channels_.find(name);
  if (at == channels_.end()) return;
  boost::system::error_code ec;
  const auto parsed = json::parse(payload, ec);
  const auto* fields = ec ? nullptr : parsed.if_object();
  const auto* id_text = fields ? fields->if_contains("id") : nullptr;
  if (!id_text || !id_text->is_string()) return;
  const auto id = parse_stream_id(id_text->get_string());
  if (!id) return;
  const auto text = fmt::format(R"({{"notification":{}}})", payload);
  for (auto& [key, m] : at->second->members) {
    m.held.emplace_back(*id, text);
    if (!m.catching_up) go_on(m);
  }
}

// Sends what is held and not yet seen.
void pusher::go_on(member& m) {
  m.catching_up = false;
  for (const auto& [id, text] : m.held) {
    if (id <= m.seen) continue;
    m.seen = id;
    m.to->push_text(text);
  }
  m.held.clear();
}

// Sends what is unread and not yet seen, page by page, then what came meanwhile.
awaitable<void> pusher::send_rest(std::shared_ptr<channel> at, realtime::connection* who,
                                  std::string player_id) {
  while (true) {
    auto m = at->members.find(who);
    if (m == at->members.end()) co_return;
    const auto page = co_await all_.unread(player_id, m->second.seen, page_limit);
    m = at->members.find(who);
    if (m == at->members.end()) co_return;
    for (const auto& n : page) {
      auto fields = to_json(n);
      fields["player_id"] = player_id;
      m->second.seen = n.id;
      m->second.to->push(json::object{{"notification", std::move(fields)}});
    }
    if (static_cast<std::int64_t>(page.size()) < page_limit) {
      go_on(m->second);
      co_return;
    }
    const auto to = m->second.to;
    co_await to->wait_sent();
  }
}

// After a lost connection: what was published meanwhile stands in the stream.
awaitable<void> pusher::mend(std::string name) {
  const auto found = channels_.find(name);
  if (found == channels_.end()) co_return;
  const auto at = found->second;
  const auto player_id = player_of(name);
  std::vector<realtime::connection*> behind;
  for (auto& [key, m] : at->members)
    if (!std::exchange(m.catching_up, true)) behind.push_back(key);
  for (auto* who : behind) {
    try {
      co_await send_rest(at, who, player_id);
    } catch (const failure& e) {
      // The next reconnection tries again; what comes now must not wait for it.
      log::warn("notifications_not_mended", {{"player_id", player_id}, {"error", e.what()}});
      if (const auto m = at->members.find(who); m != at->members.end()) go_on(m->second);
    }
  }
}

}  // namespace skirmish::notifications
