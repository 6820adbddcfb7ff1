#include "chat/chat_routes.hpp"

#include "http/json_schema.hpp"
#include "http/problem.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <fmt/format.h>

namespace skirmish::chat {
namespace {

namespace json = boost::json;
using namespace http;

constexpr std::size_t presence_limit = 1'000;
constexpr std::int64_t mute_max_s = 366LL * 86'400;

awaitable<response> post(service& chat, exchange& x) {
  auto from = chat.speaker(x.who, x.text("from"));
  if (!from) co_return problem(from.error(), x.request_id);
  auto said = co_await chat.send(x.who, x.path("channel"), *from, *x.text("text"));
  if (!said) co_return problem(said.error(), x.request_id);
  co_return json_response(json::object{{"channel", x.path("channel")},
                                       {"id", said->id},
                                       {"from", *from},
                                       {"text", *x.text("text")},
                                       {"ts", to_rfc3339(said->ts)}},
                          201);
}

awaitable<response> read(service& chat, exchange& x) {
  if (auto allowed = chat.may_read(x.who, x.path("channel")); !allowed)
    co_return problem(allowed.error(), x.request_id);
  if (x.who.as == role::player) {
    const bool is_banned = co_await chat.is_banned(x.path("channel"), x.who.id);
    if (is_banned)
      co_return problem({errc::forbidden, "you are banned from this channel"}, x.request_id);
  }
  const auto asked = x.query("since");
  const auto from = asked.empty() ? x.query("cursor") : asked;
  std::optional<message_id> since;
  if (!from.empty()) {
    since = parse_stream_id(from);
    if (!since)
      co_return problem({errc::invalid_argument, "since must be the id of a message"},
                        x.request_id);
  }
  const auto limit = x.query_integer("limit");
  const auto found = co_await chat.read(x.path("channel"), since, limit);
  json::array items;
  for (const auto& m : found.messages) items.push_back(json::parse(m.json));
  json::value next;
  if (static_cast<std::int64_t>(items.size()) == limit && found.messages.back().id < found.last)
    next = to_string(found.messages.back().id);
  json::object body{{"items", std::move(items)}, {"next_cursor", next}};
  if (since) body["recovered"] = found.recovered;
  co_return json_response(body);
}

awaitable<response> who_is_there(service& chat, presence& present, exchange& x) {
  if (auto allowed = chat.may_read(x.who, x.path("channel")); !allowed)
    co_return problem(allowed.error(), x.request_id);
  json::array items;
  for (const auto& id : co_await present.on(x.path("channel"), presence_limit))
    items.push_back(json::object{{"player_id", id}});
  co_return json_response(json::object{{"items", std::move(items)}, {"next_cursor", nullptr}});
}

awaitable<response> moderate(service& chat, exchange& x, std::string verb) {
  const auto& channel = x.path("channel");
  if (auto allowed = chat.may_read(x.who, channel); !allowed)
    co_return problem(allowed.error(), x.request_id);
  const auto reason = x.body.is_object() ? x.text("reason").value_or("") : std::string();
  if (verb == "mute")
    co_await chat.mute(channel, x.path("player_id"),
                       std::chrono::seconds(x.integer("seconds").value_or(600)), reason, x.who.id);
  else if (verb == "unmute")
    co_await chat.unmute(channel, x.path("player_id"));
  else if (verb == "ban")
    co_await chat.ban(channel, x.path("player_id"), reason, x.who.id);
  else
    co_await chat.unban(channel, x.path("player_id"));
  co_return no_content();
}

awaitable<response> remove(service& chat, exchange& x) {
  auto removed = co_await chat.remove(x.path("channel"), x.path("id"));
  co_return removed ? no_content() : problem(removed.error(), x.request_id);
}

void add_moderation(router& routes, service& chat) {
  const auto act = [&chat](std::string verb) {
    return [&chat, verb](exchange& x) { return moderate(chat, x, verb); };
  };
  const std::string mutes = "/api/chat/{channel}/mutes/{player_id}";
  const std::string bans = "/api/chat/{channel}/bans/{player_id}";
  const member reason{"reason", shape::line(0, 500), optional, "shown in the list and the audit log"};
  const auto seconds = shape::object(
      {{"seconds", shape::integer(1, mute_max_s), optional, "600 when absent"}, reason});
  routes
      .add({verb::put,
            mutes,
            access::admin,
            "Let a player not speak for a while",
            act("mute"),
            seconds,
            {},
            "204."})
      .gives_nothing()
      .refuses({404});
  routes
      .add({verb::delete_,
            mutes,
            access::admin,
            "Let a muted player speak again",
            act("unmute"),
            {},
            {},
            "204."})
      .gives_nothing()
      .refuses({404});
  routes
      .add({verb::put,
            bans,
            access::admin,
            "Put a player out of a channel for good",
            act("ban"),
            shape::object({reason}),
            {},
            "204."})
      .gives_nothing()
      .refuses({404});
  routes
      .add({verb::delete_,
            bans,
            access::admin,
            "Let a banned player in again",
            act("unban"),
            {},
            {},
            "204."})
      .gives_nothing()
      .refuses({404});
  routes
      .add({verb::delete_,
            "/api/chat/{channel}/messages/{id}",
            access::admin,
            "Delete a message",
            [&chat](exchange& x) { return remove(chat, x); },
            {},
            {},
            "204. Subscribers get {deleted: {channel, id}}."})
      .gives_nothing()
      .refuses({404});
}

result<std::optional<list_place>> place_of(const exchange& x) {
  const auto cursor = x.query("cursor");
  if (cursor.empty()) return std::optional<list_place>();
  auto place = parse_list_place(cursor);
  if (!place) return error{errc::invalid_argument, "cursor must be one that this list returned"};
  return place;
}

json::value time_json(const std::optional<timestamp>& t) {
  return t ? json::value(to_rfc3339(*t)) : json::value();
}

json::value text_json(const std::string& text) {
  return text.empty() ? json::value() : json::value(text);
}

response list_response(json::array items, const std::optional<list_place>& next) {
  return json_response(
      json::object{{"items", std::move(items)},
                   {"next_cursor", next ? json::value(to_text(*next)) : json::value()}});
}

awaitable<response> list_channels(lists& listed, exchange& x) {
  auto behind = place_of(x);
  if (!behind) co_return problem(behind.error(), x.request_id);
  const auto page = co_await listed.channels(std::move(*behind), x.query_integer("limit"));
  json::array items;
  for (const auto& e : page.entries)
    items.push_back(json::object{{"channel", e.channel},
                                 {"messages", e.messages},
                                 {"online", e.online},
                                 {"last_at", time_json(e.last)}});
  co_return list_response(std::move(items), page.next);
}

enum class silence { mute, ban };

awaitable<response> list_silenced(service& chat, lists& listed, exchange& x, silence kind) {
  if (auto allowed = chat.may_read(x.who, x.path("channel")); !allowed)
    co_return problem(allowed.error(), x.request_id);
  auto behind = place_of(x);
  if (!behind) co_return problem(behind.error(), x.request_id);
  list_page<silenced_entry> page;
  if (kind == silence::mute)
    page = co_await listed.mutes(x.path("channel"), std::move(*behind), x.query_integer("limit"));
  else
    page = co_await listed.bans(x.path("channel"), std::move(*behind), x.query_integer("limit"));
  json::array items;
  for (const auto& e : page.entries) {
    json::object item{{"player_id", e.player_id},
                      {"at", time_json(e.at)},
                      {"reason", text_json(e.reason)},
                      {"by", text_json(e.by)}};
    if (kind == silence::mute) item["until"] = time_json(e.until);
    items.push_back(std::move(item));
  }
  co_return list_response(std::move(items), page.next);
}

void add_lists(router& routes, service& chat, lists& listed) {
  routes
      .add({verb::get,
            "/api/chat",
            access::admin,
            "Which chat channels there are",
            [&listed](exchange& x) { return list_channels(listed, x); },
            {},
            {limit_parameter(), cursor_parameter()},
            "{items, next_cursor}: on the first page those that are always there, beside the limit; "
            "then the others, the last one on which something was said first. `messages`: in the "
            "history; `online`: players who are on it."})
      .gives(200, schema::page_of(schema::object({{"channel", schema::id()},
                                                  {"messages", schema::count()},
                                                  {"online", schema::count()},
                                                  {"last_at", schema::nullable(schema::time())}})));
  std::vector<schema::property> form{{"player_id", schema::id()},
                                     {"at", schema::nullable(schema::time())},
                                     {"reason", schema::nullable(schema::text())},
                                     {"by", schema::nullable(schema::text())}};
  routes
      .add({verb::get,
            "/api/chat/{channel}/bans",
            access::admin,
            "Who is put out of a channel",
            [&chat, &listed](exchange& x) { return list_silenced(chat, listed, x, silence::ban); },
            {},
            {limit_parameter(), cursor_parameter()},
            "{items, next_cursor}, the latest first. `by`: the id of the API key."})
      .gives(200, schema::page_of(schema::object(form)))
      .refuses({404});
  form.push_back({"until", schema::nullable(schema::time())});
  routes
      .add({verb::get,
            "/api/chat/{channel}/mutes",
            access::admin,
            "Who may not speak on a channel for a while",
            [&chat, &listed](exchange& x) { return list_silenced(chat, listed, x, silence::mute); },
            {},
            {limit_parameter(), cursor_parameter()},
            "{items, next_cursor}, those that end last first. `by`: the id of the API key."})
      .gives(200, schema::page_of(schema::object(form)))
      .refuses({404});
}

awaitable<void> say(service& chat, realtime::connection& c, const json::object& message) {
  const auto* body = message.at("chat").if_object();
  const auto text_of = [&](const char* name) -> std::optional<std::string> {
    const auto* v = body ? body->if_contains(name) : nullptr;
    if (!v || !v->is_string()) return std::nullopt;
    return std::string(v->get_string());
  };
  const auto channel = text_of("channel");
  const auto text = text_of("text");
  if (!channel || !text) {
    c.fail(message, {errc::invalid_argument, "chat needs a channel and a text"});
    co_return;
  }
  auto from = chat.speaker(c.who(), text_of("from"));
  if (!from) {
    c.fail(message, from.error());
    co_return;
  }
  auto said = co_await chat.send(c.who(), *channel, *from, *text);
  if (said)
    c.reply(realtime::cid_of(message), {{"sent", json::object{{"id", said->id}}}});
  else
    c.fail(message, said.error());
}

}  // namespace

void add_routes(router& routes, service& chat, presence& present, lists& listed) {
  const query_parameter since{"since", "the id of a message: those behind it", "", {}};
  const auto text =
      shape::text(1, static_cast<std::size_t>(chat.configured().rules.text_limit_chars));
  const auto message = schema::object({{"channel", schema::id()},
                                       {"id", schema::text()},
                                       {"from", schema::text()},
                                       {"text", schema::text()},
                                       {"ts", schema::time()}});
  routes
      .add({verb::post,
            "/api/chat/{channel}/messages",
            access::player,
            "Say something on a channel",
            [&chat](exchange& x) { return post(chat, x); },
            shape::object({{"text", text, required},
                           {"from", shape::id(), optional, "whom a game server speaks for"}}),
            {},
            "201 and the message. 403 for the muted and banned, 429 for too many messages."})
      .gives(201, message)
      .refuses({404, 429});
  routes
      .add({verb::get,
            "/api/chat/{channel}/messages",
            access::player,
            "Messages, oldest first: the newest ones, or those behind `since`",
            [&chat](exchange& x) { return read(chat, x); },
            {},
            {limit_parameter(), cursor_parameter(), since},
            "With `since`, `recovered` says whether nothing in between has been dropped."})
      .gives(200, schema::object({{"items", schema::array_of(schema::open_object())},
                                  {"next_cursor", schema::nullable(schema::text())},
                                  {"recovered", schema::boolean(), optional}}))
      .refuses({404});
  routes
      .add({verb::get, "/api/chat/{channel}/presence", access::player, "Who is on a channel",
            [&chat, &present](exchange& x) { return who_is_there(chat, present, x); }})
      .gives(200, schema::page_of(schema::object({{"player_id", schema::id()}})))
      .refuses({404});
  add_moderation(routes, chat);
  add_lists(routes, chat, listed);
}

void add_messages(realtime::gateway& gateway, service& chat, hub& fan_out) {
  gateway.on_message(
      "chat", access::player, scope::chat,
      [&chat](realtime::connection& c, const json::object& m) { return say(chat, c, m); });
  realtime::channel_kind kind;
  kind.group = scope::chat;
  kind.join = [&fan_out](realtime::connection& c, std::string channel, const json::object& m) {
    return fan_out.join(c, std::move(channel), m);
  };
  kind.leave = [&fan_out](realtime::connection& c, const std::string& channel) {
    fan_out.leave(c, channel);
  };
  for (const auto* name : {"achievement", "cache"}) gateway.on_channel(name, kind);
  kind.who = access::player;
  for (const auto& name : chat.configured().rules.open) gateway.on_channel(name, kind);
  for (const auto* name : {"team:", "level:", "dm:"}) gateway.on_channel(name, kind);
  gateway.on_channel("presence:",
                     {access::player, scope::chat, [](std::string_view, std::string_view payload) {
                        return fmt::format(R"({{"presence":{}}})", payload);
                      }});
}

}  // namespace skirmish::chat
