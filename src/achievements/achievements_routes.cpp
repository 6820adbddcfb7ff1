#include "achievements/achievements_routes.hpp"

#include "http/json_schema.hpp"
#include "http/problem.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

namespace skirmish::achievements {
namespace {

namespace json = boost::json;
using namespace http;

awaitable<response> list(service& achievements, exchange& x) {
  json::array items;
  for (const auto& a : co_await achievements.list(x.path("id")))
    items.push_back(json::object{{"achievement", a.achievement}, {"unlocked_at", a.at}});
  co_return json_response(json::object{{"items", std::move(items)}, {"next_cursor", nullptr}});
}

awaitable<response> unlock(service& achievements, players::service& players, exchange& x) {
  const auto& id = x.path("id");
  const auto& name = x.path("achievement");
  auto done = co_await achievements.unlock(id, name);
  if (!done && done.error().code == errc::not_found) {
    // Redis may have been emptied: a player with a profile gets its live state back.
    std::vector<std::string> ids{id};
    const auto missing = co_await players.restore_live(std::move(ids));
    if (missing.empty()) done = co_await achievements.unlock(id, name);
  }
  if (!done) co_return problem(done.error(), x.request_id);
  co_return json_response(
      json::object{{"player_id", id}, {"achievement", name}, {"unlocked", *done}},
      *done ? 201 : 200);
}

}  // namespace

void add_routes(router& routes, service& achievements, players::service& players) {
  routes
      .add({verb::get, "/api/players/{id}/achievements", access::anyone,
            "What a player has unlocked, oldest first",
            [&achievements](exchange& x) { return list(achievements, x); }})
      .gives(200, schema::page_of(schema::object(
                      {{"achievement", schema::id()}, {"unlocked_at", schema::text()}})));
  const auto unlocked = schema::object({{"player_id", schema::id()},
                                        {"achievement", schema::id()},
                                        {"unlocked", schema::boolean()}});
  routes
      .add({verb::put,
            "/api/players/{id}/achievements/{achievement}",
            access::server,
            "Unlock an achievement, once",
            [&achievements, &players](exchange& x) { return unlock(achievements, players, x); },
            {},
            {},
            "201 when it is new, 200 with `unlocked: false` when the player had it. New ones are "
            "announced on the channel `achievement`."})
      .gives(200, unlocked)
      .gives(201, unlocked)
      .refuses({404});
}

}  // namespace skirmish::achievements
