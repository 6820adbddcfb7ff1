#include "players/players_routes.hpp"

#include "core/ids.hpp"
#include "core/parse.hpp"
#include "core/text.hpp"
#include "http/etag.hpp"
#include "http/json_schema.hpp"
#include "http/problem.hpp"

#include <boost/json/array.hpp>

namespace skirmish::players {
namespace {

namespace json = boost::json;
using namespace http;

json::object to_json(const profile& p) {
  return {{"player_id", p.player_id},
          {"name", p.name},
          {"email", p.email},
          {"level", p.level},
          {"created_at", to_rfc3339(p.created_at)}};
}

json::object to_json(const position& p) {
  return {{"lat", p.lat}, {"lon", p.lon}, {"alt", p.alt}, {"ts", p.ts}};
}

json::object to_json(const live_state& s, action_parser parse) {
  json::array actions;
  for (const auto& action : s.last_actions)
    if (auto known = parse(action)) actions.push_back(std::move(*known));
  return {{"hp", s.hp},
          {"mp", s.mp},
          {"stamina", s.stamina},
          {"interaction", s.interaction},
          {"damage_dealt", s.damage_dealt},
          {"target", s.target},
          {"position", s.where ? json::value(to_json(*s.where)) : json::value()},
          {"last_actions", std::move(actions)},
          {"updated_at", s.updated_at}};
}

response profile_response(const profile& p, int status = 200) {
  auto r = json_response(to_json(p), status);
  r.with("ETag", etag_of(p.version));
  return r;
}

response refused(const exchange& x, const error& e) { return problem(e, x.request_id); }

// The answer when `x` may not act for the player; nothing when it may.
std::optional<response> unless_allowed(const exchange& x) {
  if (x.who.may_act_as(x.path("id"))) return std::nullopt;
  return refused(x, {errc::forbidden, "a player may act only as itself"});
}

awaitable<response> create(service& players, password_hash hash, exchange& x) {
  profile p;
  p.player_id = x.text("player_id").value_or(random_uuid());
  p.name = *x.text("name");
  p.email = x.text("email").value_or("");
  std::string hashed;
  if (auto password = x.text("password")) hashed = co_await hash(std::move(*password));
  auto made = co_await players.create(std::move(p), std::move(hashed));
  if (!made) co_return refused(x, made.error());
  auto r = profile_response(*made, 201);
  r.with("Location", "/api/players/" + made->player_id);
  co_return r;
}

awaitable<response> read(service& players, exchange& x) {
  if (auto no = unless_allowed(x)) co_return std::move(*no);
  auto found = co_await players.get(x.path("id"));
  if (!found) co_return refused(x, found.error());
  auto r = profile_response(found->first);
  r.with("X-Cache", std::string(to_string(found->second)));
  co_return r;
}

awaitable<response> update(service& players, exchange& x) {
  if (auto no = unless_allowed(x)) co_return std::move(*no);
  auto if_version = parse_if_match(x.req.header("if-match"));
  if (!if_version) co_return refused(x, if_version.error());
  profile_change change{x.text("name"), x.text("email")};
  auto changed = co_await players.update(x.path("id"), std::move(change), *if_version);
  if (!changed && changed.error().code == errc::conflict && *if_version)
    co_return problem(412, changed.error(), x.request_id);
  if (!changed) co_return refused(x, changed.error());
  co_return profile_response(*changed);
}

awaitable<response> remove(service& players, exchange& x, player_hook on_remove) {
  if (auto no = unless_allowed(x)) co_return std::move(*no);
  // Before the player itself: a removal that was cut short is completed by a repeat.
  co_await on_remove(x.path("id"));
  auto removed = co_await players.remove(x.path("id"));
  co_return removed ? no_content() : refused(x, removed.error());
}

awaitable<response> read_state(service& players, action_parser parse, exchange& x) {
  if (auto no = unless_allowed(x)) co_return std::move(*no);
  auto found = co_await players.state(x.path("id"));
  co_return found ? json_response(to_json(*found, parse)) : refused(x, found.error());
}

awaitable<response> update_state(service& players, action_parser parse, exchange& x) {
  state_change change{x.integer("hp"), x.integer("mp"), x.integer("stamina")};
  auto changed = co_await players.update_state(x.path("id"), change);
  co_return changed ? json_response(to_json(*changed, parse)) : refused(x, changed.error());
}

awaitable<response> read_position(service& players, exchange& x) {
  if (auto no = unless_allowed(x)) co_return std::move(*no);
  auto found = co_await players.live_position(x.path("id"));
  co_return found ? json_response(to_json(*found)) : refused(x, found.error());
}

awaitable<response> read_actions(service& players, action_parser parse, exchange& x) {
  if (auto no = unless_allowed(x)) co_return std::move(*no);
  auto found = co_await players.state(x.path("id"));
  if (!found) co_return refused(x, found.error());
  auto state = to_json(*found, parse);
  co_return json_response(
      json::object{{"items", std::move(state["last_actions"])}, {"next_cursor", nullptr}});
}

constexpr std::size_t query_max_chars = 254;

result<player_search> search_of(const exchange& x) {
  player_search out;
  out.query = x.query("query");
  if (text_fault(out.query, lines::one, 0, query_max_chars))
    return error{errc::invalid_argument, "query must be the beginning of an id, name or e-mail"};
  if (x.has_query("online")) out.is_online = x.query("online") == "true";
  out.limit = x.query_integer("limit");
  const auto cursor = x.query("cursor");
  if (cursor.empty()) return out;
  out.behind = parse_search_place(cursor);
  if (!out.behind || !is_valid_utf8(out.behind->value))
    return error{errc::invalid_argument, "cursor must be one that this list returned"};
  return out;
}

awaitable<response> search_players(searcher& search, exchange& x) {
  auto asked = search_of(x);
  if (!asked) co_return refused(x, asked.error());
  const auto page = co_await search.find(std::move(*asked));
  json::array items;
  for (const auto& p : page.players)
    items.push_back(json::object{{"player_id", p.player_id},
                                 {"name", p.name},
                                 {"email", p.email},
                                 {"level", p.level},
                                 {"online", p.is_online}});
  co_return json_response(
      json::object{{"items", std::move(items)},
                   {"next_cursor", page.next ? json::value(to_text(*page.next)) : json::value()},
                   {"is_partial", page.is_partial}});
}

void add_search(router& routes, searcher& search) {
  auto form = schema::object(
      {{"items", schema::array_of(schema::object({{"player_id", schema::id()},
                                                  {"name", schema::text()},
                                                  {"email", schema::text()},
                                                  {"level", schema::integer(INT64_MIN, INT64_MAX)},
                                                  {"online", schema::boolean()}}))},
       {"next_cursor", schema::nullable(schema::text())},
       {"is_partial", schema::boolean()}});
  routes
      .add({verb::get,
            "/api/players",
            access::admin,
            "Find players",
            [&search](exchange& x) { return search_players(search, x); },
            {},
            {{"query", "the beginning of an id, a name (in any case) or an e-mail address", "", {}},
             {"online",
              "only who is online, or who is not",
              {},
              {},
              schema::word({"true", "false"})},
             limit_parameter(),
             cursor_parameter()},
            "{items, next_cursor, is_partial}: first those whose id matches, then by name, then by "
            "e-mail. `online`: has a live position, or was on a chat channel within a minute. "
            "`is_partial`: the search stopped early; go on with `next_cursor`."})
      .gives(200, std::move(form));
}

}  // namespace

void add_routes(router& routes, service& players, searcher& search, password_hash hash,
                action_parser parse, player_hook on_remove) {
  add_search(routes, search);
  const auto bind = [&players](auto handle) {
    return [&players, handle](exchange& x) { return handle(players, x); };
  };
  const auto name = shape::line(1, 64);
  const auto email = shape::line(0, 254);
  const auto stat = shape::integer(0, stat_max);
  const auto whole = schema::integer(INT64_MIN, INT64_MAX);
  const auto profile = schema::object({{"player_id", schema::id()},
                                       {"name", schema::text()},
                                       {"email", schema::text()},
                                       {"level", whole},
                                       {"created_at", schema::time()}});
  const auto position = schema::object({{"lat", schema::number()},
                                        {"lon", schema::number()},
                                        {"alt", schema::number()},
                                        {"ts", schema::text()}});
  const auto state = schema::object({{"hp", whole},
                                     {"mp", whole},
                                     {"stamina", whole},
                                     {"interaction", schema::text()},
                                     {"damage_dealt", whole},
                                     {"target", schema::text()},
                                     {"position", schema::nullable(position)},
                                     {"last_actions", schema::array_of(schema::open_object())},
                                     {"updated_at", schema::text()}});
  routes
      .add({verb::post,
            "/api/players",
            access::server,
            "Create a player",
            [&players, hash](exchange& x) { return create(players, hash, x); },
            shape::object(
                {{"player_id", shape::id(), optional, "a UUID is made when absent"},
                 {"name", name, required, "shown to others"},
                 {"email", email, optional},
                 {"password", shape::text(8, 256), optional, "opens sessions; docs/sessions.md"}}),
            {},
            "201 and the profile. 409 when the id is taken."})
      .gives(201, profile)
      .refuses({409});
  routes
      .add({verb::get,
            "/api/players/{id}",
            access::player,
            "A player's profile",
            bind(read),
            {},
            {},
            "The profile, with ETag and X-Cache: hit, miss or stale."})
      .gives(200, profile)
      .refuses({404});
  routes
      .add({verb::patch,
            "/api/players/{id}",
            access::player,
            "Change a profile",
            bind(update),
            shape::object({{"name", name, optional}, {"email", email, optional}}),
            {},
            "The changed profile. If-Match is honoured: 412 when it has changed since."})
      .gives(200, profile)
      .takes_header("If-Match", "the ETag of what is to be changed",
                    schema::matching(if_match_pattern))
      .refuses({404, 409, 412});
  routes
      .add({verb::delete_,
            "/api/players/{id}",
            access::player,
            "Delete a player",
            [&players, on_remove](exchange& x) { return remove(players, x, on_remove); },
            {},
            {},
            "204."})
      .gives_nothing()
      .refuses({404});
  routes
      .add({verb::get, "/api/players/{id}/state", access::player, "A player's live state",
            [&players, parse](exchange& x) { return read_state(players, parse, x); }})
      .gives(200, state)
      .refuses({404, 409});
  routes
      .add({verb::patch,
            "/api/players/{id}/state",
            access::server,
            "Set stats of a player",
            [&players, parse](exchange& x) { return update_state(players, parse, x); },
            shape::object(
                {{"hp", stat, optional}, {"mp", stat, optional}, {"stamina", stat, optional}}),
            {},
            "The live state."})
      .gives(200, state)
      .refuses({404, 409});
  routes
      .add({verb::get,
            "/api/players/{id}/actions",
            access::player,
            "A player's last actions",
            [&players, parse](exchange& x) { return read_actions(players, parse, x); },
            {},
            {},
            "{items: [events], next_cursor}, the newest first; next_cursor is null."})
      .gives(200, schema::page_of(schema::open_object()))
      .refuses({404, 409});
  routes
      .add({verb::get,
            "/api/players/{id}/position",
            access::player,
            "A player's live position",
            bind(read_position),
            {},
            {},
            "The position while it lives; 404 after."})
      .gives(200, position)
      .refuses({404, 409});
}

}  // namespace skirmish::players
