#include "chat/hub.hpp"

#include "chat/published.hpp"
#include "core/ids.hpp"
#include "core/json_text.hpp"
#include "core/log.hpp"
#include "http/websocket_codec.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <fmt/format.h>

namespace skirmish::chat {
namespace {

using namespace std::chrono_literals;
namespace json = boost::json;
using steady = std::chrono::steady_clock;

constexpr auto confirm_patience = 2s;

std::string encoded(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 10);
  http::ws::encode(out, http::ws::opcode::text, text);
  return out;
}

std::string push_of(std::string_view message) {
  return fmt::format(R"({{"message":{}}})", message);
}

}  // namespace

struct hub::member {
  std::shared_ptr<realtime::connection> to;
  std::string as;           // the player it is, when it is one
  bool catching_up = true;  // reads history; what comes meanwhile is held
  std::deque<frame> held;
  // What it has: by the history when it joined, then by fan-outs. Redis may tell of a message later
  // than the history did.
  message_id seen;
};

struct hub::channel {
  channel(asio::io_context& io, std::string n) : name(std::move(n)), pace(io) {}
  std::string name;
  std::map<realtime::connection*, member> members;
  redis::subscription source;
  message_id last;  // of the messages that came by here
  std::optional<message_id>
      floor;  // all members have what is older; where mending starts while nothing came by
  bool mending = false;  // reads what was missed; what comes meanwhile is held
  std::deque<std::pair<message_id, std::string>> held;
  std::string outgoing;  // frames of the next fan-out
  std::vector<std::pair<message_id, std::size_t>>
      marks;  // of each frame in it: id (none: always wanted) and offset
  bool scheduled = false;
  steady::time_point next_allowed{};
  asio::steady_timer pace;
};

hub::hub(asio::io_context& io, service& chat, presence& present, redis::subscriber& subscriber,
         task_group& group, metrics::registry& metrics)
    : io_(io),
      chat_(chat),
      presence_(present),
      subscriber_(subscriber),
      group_(group),
      delivered_(metrics.add_counter("skirmish_chat_deliveries_total",
                                     "Chat messages given to WebSockets.")) {}

hub::~hub() = default;

hub::channel* hub::find(const std::string& name) {
  const auto found = channels_.find(name);
  return found == channels_.end() ? nullptr : found->second.get();
}

hub::member* hub::find(const std::string& name, realtime::connection& c) {
  auto* at = find(name);
  if (!at) return nullptr;
  const auto found = at->members.find(&c);
  return found == at->members.end() ? nullptr : &found->second;
}

// Whether `c` may join, and as which player.
awaitable<result<void>> hub::admit(realtime::connection& c, const std::string& channel,
                                   const json::object& body, std::string& as) {
  if (auto allowed = chat_.may_read(c.who(), channel); !allowed) co_return allowed.error();
  if (c.who().as == http::role::player) as = c.who().id;
  if (const auto* named = body.if_contains("as")) {
    if (!named->is_string() || !is_valid_id(named->get_string()))
      co_return error{errc::invalid_argument, "`as` must be a player's id"};
    if (!c.who().may_act_as(named->get_string()))
      co_return error{errc::forbidden, "a player may act only as itself"};
    as = std::string(named->get_string());
  }
  if (as.empty()) co_return result<void>{};
  const bool is_banned = co_await chat_.is_banned(channel, as);
  if (is_banned) co_return error{errc::forbidden, "you are banned from this channel"};
  co_return result<void>{};
}

awaitable<result<void>> hub::join(realtime::connection& c, std::string name,
                                  const json::object& message) {
  const auto& body = message.at("subscribe").get_object();
  std::optional<message_id> since;
  if (const auto* text = body.if_contains("since")) {
    if (text->is_string()) since = parse_stream_id(text->get_string());
    if (!since) co_return error{errc::invalid_argument, "`since` must be the id of a message"};
  }
  std::string as;
  auto admitted = co_await admit(c, name, body, as);
  if (!admitted) co_return admitted.error();
  auto& at = channels_[name];
  if (!at) {
    at = std::make_unique<channel>(io_, name);
    redis::listener listener;
    listener.on_message = [this, name](std::string_view, std::string_view payload) {
      receive(name, payload);
    };
    listener.on_reconnected = [this, name] {
      group_.spawn("chat_mend", [this, name] { return mend(name); });
    };
    at->source = subscriber_.subscribe(chat_.keys().prefix() + name, std::move(listener));
  }
  fan_out(*at);  // what is older is not for the new member
  const auto [place, fresh] = at->members.try_emplace(&c);
  place->second.to = c.shared_from_this();
  if (fresh) place->second.as = as;
  place->second.catching_up = true;
  std::exception_ptr problem;
  try {
    if (fresh && !as.empty()) co_await presence_.join(name, as);
    co_await catch_up(c, name, realtime::cid_of(message), since);
  } catch (...) {
    problem = std::current_exception();
  }
  if (problem) {
    leave(c, name);
    std::rethrow_exception(problem);
  }
  co_return result<void>{};
}

// Answers with what was said since, then goes on with what was said meanwhile. The member may go at
// any wait.
awaitable<void> hub::catch_up(realtime::connection& c, std::string name, json::value cid,
                              std::optional<message_id> since) {
  auto* at = find(name);
  co_await at->source.confirmed(confirm_patience);
  const std::int64_t limit = since ? page_limit : 0;
  auto page = co_await chat_.read(name, since, limit);
  at = find(name);
  const auto* here = find(name, c);
  if (!here) co_return;
  // One that subscribes again without `since` goes on where it is.
  auto last = since.value_or(here->seen != message_id{} ? here->seen : page.last);
  if (!at->floor) at->floor = last;
  std::string answer = R"({"subscribed":{"channel":")" + name + R"(","recovered":)";
  answer += since && page.recovered ? "true" : "false";
  answer += R"(,"last_id":")" + to_string(page.messages.empty() ? last : page.messages.back().id);
  answer += R"(","messages":[)";
  for (const auto& m : page.messages) {
    if (m.id != page.messages.front().id) answer += ',';
    answer += m.json;
    last = m.id;
  }
  answer += "]}";
  if (!cid.is_null()) answer += R"(,"cid":)" + json_text_of(cid);
  answer += '}';
  c.push_text(answer);
  while (static_cast<std::int64_t>(page.messages.size()) == page_limit) {
    co_await c.wait_sent();
    if (!find(name, c)) co_return;
    page = co_await chat_.read(name, last, page_limit);
    for (const auto& m : page.messages) {
      c.push_text(push_of(m.json));
      last = m.id;
    }
  }
  auto* self = find(name, c);
  if (!self) co_return;
  at = find(name);
  fan_out(*at);  // all that is held for this member goes to the others now, so that it does not
                 // come twice
  for (const auto& f : self->held)
    if (f.id > last || f.id == message_id{}) c.push_encoded(f.encoded);
  if (!self->held.empty()) last = std::max(last, self->held.back().id);
  self->held.clear();
  self->seen = last;
  self->catching_up = false;
}

void hub::leave(realtime::connection& c, const std::string& name) {
  auto* at = find(name);
  if (!at) return;
  const auto found = at->members.find(&c);
  if (found == at->members.end()) return;
  const auto as = found->second.as;
  if (!at->outgoing.empty()) fan_out(*at);
  at->members.erase(found);
  if (at->members.empty()) channels_.erase(name);
  if (as.empty()) return;
  auto tell = [this, name, as]() -> awaitable<void> {
    try {
      co_await presence_.leave(name, as);
    } catch (const failure& e) {
      log::warn("presence_not_left", {{"channel", name}, {"error", e.what()}});
    }
  };
  group_.spawn("chat_leave", std::move(tell));
}

void hub::receive(const std::string& name, std::string_view payload) {
  auto* at = find(name);
  if (!at) return;
  const auto read = read_published(payload);
  switch (read.what) {
    case published::kind::message:
      if (at->mending) {
        at->held.emplace_back(read.id, payload);
      } else if (read.id > at->last) {
        at->last = read.id;
        deliver(*at, read.id, push_of(payload));
      }
      return;
    case published::kind::banned:
      if (!read.player_id.empty()) put_out(*at, read.player_id, "banned");
      return;
    case published::kind::removed: return put_out(*at, read.player_id, "removed");
    case published::kind::deleted: return deliver(*at, {}, payload);
    case published::kind::unknown: break;
  }
  // Somebody published by hand: not a message of the history, and delivered as it is.
  deliver(
      *at, {},
      fmt::format(R"({{"message":{{"channel":"{}","text":{}}}}})", name, json_string_of(payload)));
}

void hub::deliver(channel& at, message_id id, std::string_view text) {
  const auto frame_bytes = encoded(text);
  std::vector<realtime::connection*> behind;
  for (auto& [c, m] : at.members) {
    if (!m.catching_up) continue;
    m.held.push_back({id, frame_bytes});
    if (m.held.size() > held_limit) behind.push_back(c);
  }
  for (auto* c : behind) c->close_slow();
  at.marks.emplace_back(id, at.outgoing.size());
  at.outgoing += frame_bytes;
  schedule(at);
}

void hub::put_out(channel& at, const std::string& player_id, std::string_view reason) {
  std::vector<std::shared_ptr<realtime::connection>> out;
  for (const auto& [c, m] : at.members)
    if (player_id.empty() || m.as == player_id) out.push_back(m.to);
  const auto name = at.name;
  for (const auto& c : out) {
    leave(*c, name);
    c->push({{"unsubscribed", json::object{{"channel", name}, {"reason", reason}}}});
  }
}

void hub::schedule(channel& at) {
  if (at.scheduled) return;
  at.scheduled = true;
  const auto go = [this, name = at.name] {
    auto* now_at = find(name);
    if (now_at && now_at->scheduled) fan_out(*now_at);
  };
  if (steady::now() >= at.next_allowed) {
    asio::post(io_, go);
    return;
  }
  at.pace.expires_at(at.next_allowed);
  at.pace.async_wait([go](error_code ec) {
    if (!ec) go();
  });
}

void hub::fan_out(channel& at) {
  at.scheduled = false;
  if (at.outgoing.empty()) return;
  const auto marked = at.marks.back().first;
  std::size_t count = 0;
  for (auto& [c, m] : at.members) {
    if (m.catching_up) continue;
    push_unseen(at, m);
    m.seen = std::max(m.seen, marked);
    ++count;
  }
  delivered_.add(count * at.marks.size());
  at.next_allowed = steady::now() + count * pace_per_member;
  at.outgoing.clear();
  if (at.outgoing.capacity() > 64 * 1024) at.outgoing.shrink_to_fit();
  at.marks.clear();
}

void hub::push_unseen(const channel& at, const member& m) {
  if (at.marks.front().first > m.seen) {
    m.to->push_encoded(at.outgoing);
    return;
  }
  for (std::size_t i = 0; i < at.marks.size(); ++i) {
    const auto& [id, from] = at.marks[i];
    if (id <= m.seen && id != message_id{}) continue;
    const auto to = i + 1 < at.marks.size() ? at.marks[i + 1].second : at.outgoing.size();
    m.to->push_encoded(std::string_view(at.outgoing).substr(from, to - from));
  }
}

// After a lost connection: reads what was said meanwhile.
awaitable<void> hub::mend(std::string name) {
  auto* at = find(name);
  if (!at || at->mending || !at->floor) co_return;
  at->mending = true;
  auto since = std::max(at->last, *at->floor);
  bool gap = false;
  while ((at = find(name)) != nullptr) {
    history page;
    bool failed = false;
    try {
      page = co_await chat_.read(name, since, page_limit);
    } catch (const failure& e) {
      log::warn("chat_not_mended", {{"channel", name}, {"error", e.what()}});
      failed = true;
    }
    if (failed) {
      asio::steady_timer pause(io_, 200ms);
      co_await pause.async_wait(use_awaitable);
      continue;
    }
    at = find(name);
    if (!at) co_return;
    if (!page.recovered && !gap) {
      gap = true;
      deliver(*at, {}, fmt::format(R"({{"gap":{{"channel":"{}"}}}})", name));
    }
    for (const auto& m : page.messages) {
      since = at->last = m.id;
      deliver(*at, m.id, push_of(m.json));
    }
    if (static_cast<std::int64_t>(page.messages.size()) == page_limit) continue;
    at->mending = false;
    auto held = std::move(at->held);
    at->held.clear();
    for (const auto& [id, payload] : held) {
      if (id <= at->last) continue;
      at->last = id;
      deliver(*at, id, push_of(payload));
    }
    co_return;
  }
}

}  // namespace skirmish::chat
