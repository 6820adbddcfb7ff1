#include "interactions/interactions_routes.hpp"

#include "http/json_schema.hpp"
#include "http/problem.hpp"
#include "interactions/interactions_keys.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace skirmish::interactions {
namespace {

namespace json = boost::json;
using namespace http;

// An event's schema for the document; decode_event() checks.
const char* body_description =
    "One event or an array of them: attack, move, respawn, score, item, completion, trade, chat. "
    "See docs/api.md.";

// How many of these events use up what their sender may say.
std::int64_t counted_chats(const event_limits& limits, role as, const std::vector<event>& events) {
  if (!limits.gate || !limits.gate->concerns(limits.chat_events, as)) return 0;
  return std::count_if(events.begin(), events.end(), [](const event& e) {
    return std::holds_alternative<interactions::chat>(e);
  });
}

// Ids that attacks without one got, by their events' indices.
using given_ids = std::vector<std::pair<std::size_t, std::string>>;

// Those of events that were not rejected.
json::array to_json(const given_ids& ids, const std::vector<rejection>& rejected) {
  std::set<std::size_t> without;
  for (const auto& r : rejected) without.insert(r.index);
  json::array out;
  for (const auto& [index, id] : ids)
    if (!without.contains(index)) out.push_back(json::object{{"index", index}, {"id", id}});
  return out;
}

// Refuses the whole request when one event has a wrong form, naming each.
awaitable<response> post(engine& engine, const clock& time, event_limits limits, exchange& x) {
  const auto now = time.now();
  frame f;
  body_errors errors;
  std::optional<error> forbidden;
  given_ids ids;
  const auto read = [&](const json::value& v, std::size_t index, const std::string& pointer) {
    auto e = decode_event(v, x.who, now, limits.chats);
    if (e) {
      if (const auto* id = give_id(*e, now)) ids.emplace_back(index, *id);
      f.events.push_back(std::move(*e));
      f.indices.push_back(index);
    } else if (e.error().code == errc::forbidden) {
      forbidden = e.error();
    } else {
      errors.add(pointer, e.error().message);
    }
  };
  if (x.body.is_array()) {
    const auto& list = x.body.get_array();
    if (list.size() > limits.batch)
      co_return problem(
          {errc::too_large, fmt::format("at most {} events in one request", limits.batch)},
          x.request_id);
    f.events.reserve(list.size());
    f.indices.reserve(list.size());
    for (std::size_t i = 0; i < list.size(); ++i) read(list[i], i, fmt::format("/{}", i));
  } else {
    read(x.body, 0, "");
  }
  if (forbidden) co_return problem(*forbidden, x.request_id);
  if (!errors.empty())
    co_return problem({errc::invalid_argument, "an event does not have the form it should have"},
                      x.request_id, errors);
  if (const auto said = counted_chats(limits, x.who.as, f.events); said > 0) {
    auto who = caller_of(x.who, x.req.remote_address);
    const auto passed = co_await limits.gate->pass(limits.chat_events, std::move(who), said);
    if (!passed.allowed) co_return answer_to_refused(x, passed);
  }
  auto out = co_await engine.commit(std::move(f));
  if (out.failed) co_return problem(*out.failed, x.request_id);
  json::array rejected;
  for (const auto& r : out.rejected)
    rejected.push_back(json::object{
        {"index", r.index}, {"code", to_string(r.why.code)}, {"detail", r.why.message}});
  json::object answer{{"accepted", out.accepted}, {"rejected", std::move(rejected)}};
  if (!ids.empty()) answer["ids"] = to_json(ids, out.rejected);
  co_return json_response(std::move(answer));
}

awaitable<response> latest_attack(attack_records& records, exchange& x) {
  auto found = co_await records.latest(x.path("attacker"), x.path("target"));
  if (!found) co_return problem(found.error(), x.request_id);
  co_return json_response(json::object{{"attacker_id", x.path("attacker")},
                                       {"target_id", x.path("target")},
                                       {"id", found->id},
                                       {"damage", found->damage},
                                       {"ts", found->ts}});
}

// Whom a stream belongs to.
std::string owner_of(const http::principal& who) {
  return (who.as == http::role::player ? "player:" : "key:") + who.id;
}

// The form of an event, as decode_event() reads it.
json::value event_schema(const skirmish::chat::channel_rules& chats) {
  const auto kind = [](const char* type, std::vector<schema::property> members) {
    members.push_back({"type", schema::word({type})});
    return schema::object(members);
  };
  const schema::property ts{"ts", schema::time(), optional};
  const schema::property server{"server", schema::id(), optional};
  const auto points = schema::integer(-score_max, score_max);
  const auto goods = shape::map_of(shape::integer(1, quantity_max), goods_max).schema();
  json::object said{{"type", "string"}, {"maxLength", chats.text_limit_chars}};
  const schema::property id_if_any{"id", schema::id(), optional};
  return schema::any_of(
      {kind("attack", {id_if_any,
                       {"attacker_id", schema::id()},
                       {"target_id", schema::id()},
                       {"damage", schema::integer(0, damage_max)},
                       {"weapon", schema::id(), optional},
                       server,
                       ts}),
       kind("move",
            {{"player_id", schema::id()},
             {"lat", shape::number(-90, 90).schema()},
             {"lon", shape::number(-180, 180).schema()},
             {"alt", shape::number(-100'000, 100'000'000).schema(), optional},
             {"ttl_s", schema::integer(move_ttl_min.count(), move_ttl_max.count()), optional},
             server,
             ts}),
       kind("respawn", {{"player_id", schema::id()}, {"hp", schema::integer(0, 1'000'000'000)}}),
       kind("score", {{"board", schema::id()},
                      {"player_id", schema::id()},
                      {"value", points},
                      {"operator", schema::word({"increment", "best", "set"}), optional}}),
       kind("item", {{"player_id", schema::id()},
                     {"item", schema::id()},
                     {"quantity", schema::integer(-quantity_max, quantity_max)}}),
       kind("completion", {{"completion_id", schema::id(), optional},
                           {"level_id", schema::id()},
                           {"player_id", schema::id()},
                           {"score", points}}),
       kind("trade", {id_if_any,
                      {"from", schema::id()},
                      {"to", schema::id()},
                      {"give", goods, optional},
                      {"take", goods, optional},
                      ts}),
       kind("chat", {{"channel", schema::id()}, {"from", schema::id()}, {"text", said}, ts})});
}

}  // namespace

void add_routes(router& routes, engine& engine, const clock& time, const event_limits& limits) {
  const auto event = event_schema(limits.chats);
  json::object batch{{"type", "array"}, {"items", event}, {"maxItems", limits.batch}};
  const auto given = schema::object({{"index", schema::count()}, {"id", schema::id()}});
  const auto rejection = schema::object(
      {{"index", schema::count()}, {"code", schema::text()}, {"detail", schema::text()}});
  auto post_events = [&engine, &time, limits](exchange& x) {
    return post(engine, time, limits, x);
  };
  routes
      .add({verb::post,
            "/api/interactions",
            access::player,
            "Report what happened",
            post_events,
            shape::documented(schema::any_of({event, std::move(batch)})),
            {},
            fmt::format(
                "{{accepted, rejected: [{{index, code, detail}}]}}, after it was written, and "
                "ids: [{{index, id}}] of attacks that came without one. {}",
                body_description)})
      .gives(200, schema::object({{"accepted", schema::count()},
                                  {"rejected", schema::array_of(rejection)},
                                  {"ids", schema::array_of(given), optional}}))
      .refuses({409});
}

void add_routes(router& routes, attack_records& records) {
  auto get_attack = [&records](exchange& x) { return latest_attack(records, x); };
  routes
      .add({verb::get, "/api/attacks/{attacker}/{target}", access::server,
            "The latest attack of a pair in the last 24 hours", get_attack})
      .gives(200, schema::object({{"attacker_id", schema::id()},
                                  {"target_id", schema::id()},
                                  {"id", schema::text()},
                                  {"damage", schema::count()},
                                  {"ts", schema::text()}}))
      .refuses({404});
}

void add_messages(realtime::gateway& gateway, engine& engine, const clock& time,
                  const event_limits& limits) {
  auto handle = [&engine, &time, limits](realtime::connection& c,
                                         const json::object& message) -> awaitable<void> {
    const auto& list = message.at("interactions");
    const auto* seq = message.if_contains("seq");
    const bool numbered = seq != nullptr;
    if (!list.is_array() || list.get_array().size() > limits.batch) {
      c.fail(message,
             {errc::invalid_argument,
              fmt::format("interactions must be an array of at most {} events", limits.batch)});
      co_return;
    }
    if (numbered && (!seq->is_int64() || seq->get_int64() < 1)) {
      c.fail(message, {errc::invalid_argument, "seq must be a whole number from 1 on"});
      co_return;
    }
    if (numbered && c.stream_id().empty()) {
      c.fail(message,
             {errc::invalid_argument, "open the socket with ?stream=<id> to send numbered frames"});
      co_return;
    }
    frame f;
    f.events.reserve(list.get_array().size());
    f.indices.reserve(list.get_array().size());
    const auto now = time.now();
    std::size_t index = 0;
    given_ids ids;
    for (const auto& v : list.get_array()) {
      auto e = decode_event(v, c.who(), now, limits.chats);
      if (e) {
        // An `ack` says nothing of single events.
        const auto* id = numbered ? nullptr : give_id(*e, now);
        if (id) ids.emplace_back(index, *id);
        f.events.push_back(std::move(*e));
        f.indices.push_back(index);
      } else {
        f.rejected.push_back({index, e.error()});
      }
      ++index;
    }
    if (const auto said = counted_chats(limits, c.who().as, f.events); said > 0) {
      auto who = c.caller();
      const auto passed = co_await limits.gate->pass(limits.chat_events, std::move(who), said);
      if (!passed.allowed) {
        c.fail(message, http::refusal_of(passed), passed.retry_after);
        co_return;
      }
    }
    const auto number = numbered ? seq->get_int64() : 0;
    if (numbered)
      f.position = stream_position{c.stream_id(), static_cast<std::uint64_t>(number), c.claim(),
                                   owner_of(c.who())};
    c.begin_work();
    f.done = [self = c.shared_from_this(), number, numbered, ids = std::move(ids),
              cid = realtime::cid_of(message)](const outcome& out) {
      for (const auto& r : out.rejected) {
        json::object reject{
            {"index", r.index}, {"code", to_string(r.why.code)}, {"detail", r.why.message}};
        if (numbered) reject["seq"] = number;
        self->push({{"reject", std::move(reject)}});
      }
      if (out.failed) {
        self->fail(cid, numbered ? std::optional(number) : std::nullopt, *out.failed);
        if (out.taken_over) self->close_taken_over();
      } else if (numbered) {
        self->acknowledge(number);
      } else {
        json::object answer{{"accepted", out.accepted}};
        if (!ids.empty()) answer["ids"] = to_json(ids, out.rejected);
        self->reply(cid, std::move(answer));
      }
      self->end_work();
    };
    engine.submit(std::move(f));
    co_await c.wait_for_room();
  };
  gateway.on_message("interactions", http::access::player, http::scope::events, handle);
}

void add_streams(realtime::gateway& gateway, engine& engine, const redis::key_space& keys) {
  auto claim = [&engine](std::string stream_id,
                         http::principal who) -> awaitable<result<realtime::stream_place>> {
    const auto made = co_await engine.claim(std::move(stream_id), owner_of(who));
    if (!made) co_return made.error();
    co_return realtime::stream_place{made->committed, made->claim};
  };
  gateway.on_stream(claims_channel(keys), claim);
}

}  // namespace skirmish::interactions
