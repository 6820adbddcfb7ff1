#include "realtime/realtime.hpp"

#include "core/damaged_data.hpp"
#include "core/ids.hpp"
#include "core/json_text.hpp"
#include "core/log.hpp"
#include "core/repeat.hpp"

#include <boost/asio/post.hpp>
#include <boost/json/parse.hpp>
#include <fmt/format.h>

#include <map>
#include <utility>

namespace skirmish::realtime {
namespace {

using namespace std::chrono_literals;

constexpr auto confirm_patience = 2s;
// Together with apikeys::revocation_watch::period well below a second.
constexpr auto revocation_pause = 200ms;
constexpr unsigned checks_between_logins = 2;
// How many of those until it is told which keys are in use.
constexpr unsigned checks_between_uses = 50;

bool is_allowed(const http::principal& who, http::access needed) {
  return static_cast<int>(who.as) >= static_cast<int>(needed);
}

// What keeps a caller from what needs `needed`, and `group` when it is not for anyone.
std::optional<error> refusal(const http::principal& who, http::access needed, http::scope group,
                             bool reads) {
  if (!is_allowed(who, needed)) {
    if (who.as == http::role::anonymous)
      return error{errc::unauthenticated, "open the socket with an API key or a session token"};
    return error{errc::forbidden, "this key's role does not allow that"};
  }
  if (needed == http::access::anyone || who.allowed.allow(group, reads)) return std::nullopt;
  return error{errc::forbidden, "this key's scopes do not allow that"};
}

// A connection's place among the open ones, however its coroutine ends.
class listed {
 public:
  listed(std::shared_ptr<std::set<connection*>> all, connection& c) : all_(std::move(all)), c_(&c) {
    all_->insert(c_);
  }
  ~listed() { all_->erase(c_); }
  listed(const listed&) = delete;
  listed& operator=(const listed&) = delete;

 private:
  std::shared_ptr<std::set<connection*>> all_;
  connection* c_;
};

}  // namespace

channel_kind json_channel() {
  return {.render = [](std::string_view channel, std::string_view payload) {
    return fmt::format(R"({{"event":{{"channel":"{}","data":{}}}}})", channel, payload);
  }};
}

json::value cid_of(const json::object& message) {
  const auto* cid = message.if_contains("cid");
  return cid && cid->is_string() && cid->get_string().size() <= 64 ? *cid : json::value();
}

connection::connection(asio::io_context& io, http::websocket& socket, http::principal who,
                       std::string stream_id, std::string_view remote_address)
    : io_(io),
      socket_(&socket),
      who_(std::move(who)),
      stream_id_(std::move(stream_id)),
      peer_(peer_of(who_, remote_address)),
      caller_(http::caller_of(who_, remote_address)),
      room_(io) {}

void connection::push(const json::object& message) { push_text(json_text_of(message)); }

void connection::push_text(std::string_view text) {
  if (socket_) socket_->send(text);
}

void connection::push_encoded(std::string_view frames) {
  if (socket_) socket_->send_encoded(frames);
}

awaitable<void> connection::wait_sent() {
  if (socket_) co_await socket_->wait_sent();
}

void connection::close_slow() {
  if (socket_) socket_->close(http::ws::close_code::too_slow, "reading too slowly");
}

void connection::close_revoked() {
  if (socket_)
    socket_->close(http::ws::close_code::bad_token,
                   "this key was revoked, or this session has ended");
}

void connection::close_banned(const http::ban& why) {
  if (socket_) socket_->close(http::ws::close_code::banned, why.detail);
}

void connection::reply(const json::value& cid, json::object body) {
  if (!cid.is_null()) body["cid"] = cid;
  push(body);
}

void connection::fail(const json::object& message, const error& why,
                      std::chrono::milliseconds retry_after) {
  const auto* seq = message.if_contains("seq");
  const bool has_seq = seq && seq->is_int64();
  fail(cid_of(message), has_seq ? std::optional(seq->get_int64()) : std::nullopt, why, retry_after);
}

void connection::fail(const json::value& cid, std::optional<std::int64_t> seq, const error& why,
                      std::chrono::milliseconds retry_after) {
  const bool temporary = why.code == errc::unavailable || why.code == errc::rate_limited ||
                         why.code == errc::deadline_exceeded;
  json::object body{
      {"code", to_string(why.code)}, {"detail", why.message}, {"temporary", temporary}};
  if (temporary) body["retry_after_ms"] = retry_after.count();
  if (seq) body["seq"] = *seq;
  reply(cid, {{"error", std::move(body)}});
}

void connection::acknowledge(std::int64_t seq) {
  ack_ = std::max(ack_, seq);
  if (ack_scheduled_) return;
  ack_scheduled_ = true;
  asio::post(io_, [self = shared_from_this()] {
    self->ack_scheduled_ = false;
    self->push_text(fmt::format(R"({{"ack":{}}})", self->ack_));
  });
}

void connection::end_work() {
  if (working_-- == gateway::work_limit) room_.set();
}

awaitable<void> connection::wait_for_room() {
  while (socket_ && socket_->is_open() && working_ >= gateway::work_limit) co_await room_.wait();
}

void connection::closed() {
  socket_ = nullptr;
  room_.set();
}

gateway::gateway(asio::io_context& io, redis::subscriber& subscriber, std::string prefix,
                 const apikeys::revoked_keys& revoked, const clock& time,
                 metrics::registry& metrics)
    : io_(io),
      subscriber_(subscriber),
      prefix_(std::move(prefix)),
      revoked_(revoked),
      clock_(time),
      open_(metrics.add_gauge("skirmish_websockets", "Open WebSockets.")),
      received_(metrics.add_counter("skirmish_websocket_messages_total",
                                    "WebSocket messages received.")) {
  on_message("subscribe", http::access::anyone, http::scope::read,
             [this](connection& c, const json::object& m) { return subscribe(c, m); });
  on_message("unsubscribe", http::access::anyone, http::scope::read,
             [this](connection& c, const json::object& m) { return unsubscribe(c, m); });
}

void gateway::on_message(std::string type, http::access who, http::scope group,
                         message_handler handle) {
  messages_.insert_or_assign(std::move(type), message_type{who, group, std::move(handle)});
}

void gateway::limit_by(http::gate& limits) {
  gate_ = &limits;
  for (auto& [type, is] : messages_) is.target = limits.add_target("WS", type);
  stray_ = limits.add_target("WS", "");
}

void gateway::on_channel(std::string name, channel_kind kind) {
  const subscription_quota quota(kind.limits);
  kinds_.insert_or_assign(std::move(name), registered_kind{std::move(kind), quota});
}

awaitable<void> gateway::serve(http::exchange& x, http::websocket& socket) {
  const std::string stream(x.query("stream"));
  auto self = std::make_shared<connection>(io_, socket, x.who, stream, x.req.remote_address);
  if (connections_->empty()) joined_.set();
  const listed here(connections_, *self);
  co_await close_unless_admitted(*self, socket);
  const bool may_stream = !refusal(x.who, http::access::player, http::scope::events, false);
  std::optional<writer_entry> entry;
  if (!stream.empty() && (!is_valid_id(stream) || !may_stream)) {
    socket.close(http::ws::close_code::bad_token, "a stream needs a valid id and a key");
  } else if (!stream.empty() && socket.is_open()) {
    // Among the writers before it claims, so that it hears of every later claim.
    entry.emplace(writers_, *self);
    co_await open_stream(*self, socket);
  }
  open_.add(1);
  auto on_text = [this, self](std::string_view text) { return receive(*self, text); };
  try {
    co_await socket.run(on_text);
  } catch (const boost::system::system_error& e) {
    if (e.code() != asio::error::operation_aborted)
      log::warn("websocket_failed", {{"error", e.what()}});
  } catch (const std::exception& e) {
    // Whatever ends it, it leaves its channels: they would send to a socket that is gone.
    log::error("websocket_failed", {{"error", e.what()}});
  }
  open_.add(-1);
  self->closed();
  const auto channels = self->channels_;
  for (const auto& channel : channels) leave(*self, channel);
}

// Between the handshake and its place in the list nobody would have closed it: the answer may have
// waited for a slow reader.
awaitable<void> gateway::close_unless_admitted(connection& c, http::websocket& socket) const {
  if (close_if_banned(c)) co_return;
  if (c.who().as == http::role::anonymous || !still_admitted_) co_return;
  try {
    const bool is_admitted = co_await still_admitted_(c.who());
    if (!is_admitted) c.close_revoked();
  } catch (const failure& e) {
    log::warn("websocket_not_admitted", {{"error", e.what()}});
    socket.close(http::ws::close_code::reconnect, "the store is down; reconnect");
  }
}

bool gateway::close_if_banned(connection& c) const {
  if (!bans_) return false;
  auto banned = bans_->of(c.who());
  if (!banned && bans_->has_addresses()) {
    error_code ec;
    const auto address = asio::ip::make_address(c.caller().address, ec);
    if (!ec) banned = bans_->of_address(address);
  }
  if (banned) c.close_banned(*banned);
  return banned.has_value();
}

void gateway::close_where(const std::function<bool(const http::principal&)>& has_ended) {
  for (auto* c : *connections_)
    if (has_ended(c->who())) c->close_revoked();
}

awaitable<void> gateway::close_revoked() {
  repeat how{.interval = revocation_pause,
             .failed = "sockets_not_checked",
             .wake = &joined_,
             .is_idle = [this] { return connections_->empty(); }};
  return repeat_every(std::move(how), [this] { return check_sockets(); });
}

awaitable<void> gateway::check_sockets() {
  if (const auto now = revoked_.version(); now != seen_revoked_) {
    seen_revoked_ = now;
    close_where([this](const http::principal& who) {
      return who.as >= http::role::server && revoked_.contains(who.id);
    });
  }
  if (const auto now = bans_ ? bans_->version() : 0; now != seen_bans_) {
    seen_bans_ = now;
    for (auto* c : *connections_) close_if_banned(*c);
  }
  const auto now = clock_.now();
  close_where([now](const http::principal& who) { return who.expires_at <= now; });
  ++checks_;
  if (checks_ % checks_between_logins == 0) co_await close_logged_out();
  if (checks_ % checks_between_uses == 0) {
    for (auto* c : *connections_) used_(c->who(), std::exchange(c->was_used_, false));
  }
}

// Browser sessions of keys end by logging out, too; sockets that only listen would not notice.
awaitable<void> gateway::close_logged_out() {
  std::map<std::string, http::principal> logged_in;  // by session
  for (const auto* c : *connections_)
    if (c->who().as >= http::role::server && !c->who().session.empty())
      logged_in.emplace(c->who().session, c->who());
  for (const auto& [session, who] : logged_in) {
    bool is_admitted = true;
    try {
      is_admitted = co_await still_admitted_(who);
    } catch (const failure& e) {
      log::debug("console_session_not_checked", {{"error", e.what()}});
    }
    if (is_admitted) continue;
    close_where([&session = session](const http::principal& p) {
      return p.as >= http::role::server && p.session == session;
    });
  }
}

awaitable<void> gateway::receive(connection& c, std::string_view text) {
  received_.add();
  c.was_used_ = true;
  json::parse_options options;
  options.max_depth = 16;
  error_code ec;
  const auto v = json::parse(text, ec, {}, options);
  const bool is_object = !ec && v.is_object();
  const json::object none;
  const auto& message = is_object ? v.get_object() : none;
  for (const auto& [type, is] : messages_) {
    if (!message.contains(type)) continue;
    if (is_limited(c, is.target)) {
      const bool may_go_on = co_await pass(c, is.target, message, http::cost_of(message.at(type)));
      if (!may_go_on) co_return;
    }
    co_await handle(c, type, is, message);
    co_return;
  }
  if (is_limited(c, stray_)) {
    const bool may_go_on = co_await pass(c, stray_, message, 1);
    if (!may_go_on) co_return;
  }
  c.fail(message, {errc::invalid_argument,
                   is_object ? "this message has no known type" : "a message is a JSON object"});
}

awaitable<bool> gateway::pass(connection& c, http::gate::target to, const json::object& message,
                              std::int64_t cost) {
  auto who = c.caller();
  const auto passed = co_await gate_->pass(to, std::move(who), cost);
  if (!passed.allowed) c.fail(message, http::refusal_of(passed), passed.retry_after);
  co_return passed.allowed;
}

// The one catch per socket message.
awaitable<void> gateway::handle(connection& c, const std::string& type, const message_type& is,
                                const json::object& message) {
  if (const auto no = refusal(c.who(), is.who, is.group, false)) {
    c.fail(message, *no);
    co_return;
  }
  std::optional<error> problem;
  try {
    co_await is.handle(c, message);
  } catch (const damaged_data& e) {
    log::error("message_failed", {{"type", type}, {"error", e.what()}});
    problem = damaged_data::as_error();
  } catch (const failure& e) {
    log::warn("message_failed", {{"type", type}, {"error", e.what()}});
    problem = error{e.code(), "a backend is down; try again"};
  } catch (const boost::system::system_error&) {
    throw;  // the server stops
  } catch (const std::exception& e) {
    log::error("message_failed", {{"type", type}, {"error", e.what()}});
    problem = error{errc::internal, "something went wrong here"};
  }
  if (problem) c.fail(message, *problem);
}

gateway::registered_kind* gateway::find_channel(std::string_view name) {
  if (name.ends_with(':')) return nullptr;  // the prefix of a kind is no channel
  if (const auto exact = kinds_.find(name); exact != kinds_.end()) return &exact->second;
  const auto colon = name.find(':');
  if (colon == std::string_view::npos || !is_valid_id(name.substr(colon + 1))) return nullptr;
  const auto prefixed = kinds_.find(name.substr(0, colon + 1));
  return prefixed == kinds_.end() ? nullptr : &prefixed->second;
}

awaitable<void> gateway::subscribe(connection& c, const json::object& message) {
  const auto* body = message.at("subscribe").if_object();
  const auto* name = body ? body->if_contains("channel") : nullptr;
  if (!name || !name->is_string()) {
    c.fail(message, {errc::invalid_argument, "subscribe needs a channel"});
    co_return;
  }
  const std::string channel(name->get_string());
  auto* kind = find_channel(channel);
  if (!kind) {
    c.fail(message, {errc::not_found, "there is no such channel"});
    co_return;
  }
  if (const auto no = refusal(c.who(), kind->is.who, kind->is.group, true)) {
    c.fail(message, *no);
    co_return;
  }
  if (kind->is.may_join) {
    if (auto ok = kind->is.may_join(c.who(), channel); !ok) {
      c.fail(message, ok.error());
      co_return;
    }
  }
  const bool is_new = !c.channels_.contains(channel);
  if (is_new) {
    if (c.channels_.size() >= channels_limit) {
      c.fail(message, {errc::invalid_argument, "too many subscriptions"});
      co_return;
    }
    if (auto counted = kind->quota.enter(c.peer_, channel); !counted) {
      c.fail(message, counted.error());
      co_return;
    }
    c.channels_.insert(channel);
  }
  result<void> joined;
  std::exception_ptr problem;
  try {
    joined = co_await join(c, kind->is, channel, message);
  } catch (...) {
    problem = std::current_exception();
  }
  // Who subscribes again in vain keeps what it had.
  if (is_new && (problem || !joined)) leave(c, channel);
  if (problem) std::rethrow_exception(problem);
  if (!joined) c.fail(message, joined.error());
}

// Answers when it is done.
awaitable<result<void>> gateway::join(connection& c, const channel_kind& kind, std::string channel,
                                      const json::object& message) {
  if (kind.join) co_return co_await kind.join(c, channel, message);
  auto& here = channels_[channel];
  if (!here.source) {
    auto forward = [this, channel, &kind](std::string_view, std::string_view payload) {
      publish(channel, kind.render(channel, payload));
    };
    here.source = subscriber_.subscribe(prefix_ + channel, redis::listener{std::move(forward)});
  }
  here.members.insert(c.shared_from_this());
  // The answer comes once Redis has confirmed, so that nothing published after it is missed. The
  // place in the map may go while waiting; the client's own membership keeps it.
  co_await here.source.confirmed(confirm_patience);
  c.reply(cid_of(message), {{"subscribed", json::object{{"channel", channel}}}});
  co_return result<void>{};
}

awaitable<void> gateway::unsubscribe(connection& c, const json::object& message) {
  const auto* body = message.at("unsubscribe").if_object();
  const auto* name = body ? body->if_contains("channel") : nullptr;
  if (!name || !name->is_string()) {
    c.fail(message, {errc::invalid_argument, "unsubscribe needs a channel"});
    co_return;
  }
  const std::string channel(name->get_string());
  leave(c, channel);
  c.reply(cid_of(message), {{"unsubscribed", json::object{{"channel", channel}}}});
}

void gateway::leave(connection& c, const std::string& channel) {
  auto* kind = find_channel(channel);
  if (!kind || c.channels_.erase(channel) == 0) return;
  kind->quota.leave(c.peer_, channel);
  if (kind->is.leave) {
    kind->is.leave(c, channel);
    return;
  }
  const auto here = channels_.find(channel);
  if (here == channels_.end()) return;
  here->second.members.erase(c.shared_from_this());
  if (here->second.members.empty()) channels_.erase(here);
}

void gateway::publish(const std::string& channel, std::string_view text) {
  const auto here = channels_.find(channel);
  if (here == channels_.end()) return;
  for (const auto& member : here->second.members) member->push_text(text);
}

void gateway::publish_latest(const std::string& channel, std::string_view text,
                             std::size_t unsent_max_bytes) {
  const auto here = channels_.find(channel);
  if (here == channels_.end()) return;
  for (const auto& member : here->second.members)
    if (member->unsent_bytes() <= unsent_max_bytes) member->push_text(text);
}

}  // namespace skirmish::realtime
