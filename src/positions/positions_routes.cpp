#include "positions/positions_routes.hpp"

#include "http/json_schema.hpp"
#include "http/problem.hpp"
#include "positions/map.hpp"
#include "positions/near_json.hpp"

#include <boost/json/object.hpp>
#include <fmt/format.h>

#include <charconv>
#include <cmath>

namespace skirmish::positions {

namespace json = boost::json;

json::array to_json(const std::vector<neighbour>& players) {
  json::array out;
  for (const auto& p : players)
    out.push_back(json::object{{"player_id", p.player_id},
                               {"distance_m", std::round(p.distance_m * 10) / 10},
                               {"lat", p.at.lat},
                               {"lon", p.at.lon},
                               {"alt", p.alt},
                               {"ts", p.ts}});
  return out;
}

namespace {

using namespace http;

// A finite number of at most `most` on either side of 0.
std::optional<double> parse_degrees(std::string_view text, double most) {
  double out = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (problem != std::errc() || end != text.data() + text.size() || !(std::abs(out) <= most))
    return std::nullopt;
  return out;
}

near_query query_of(const exchange& x) {
  near_query q;
  q.radius_m = static_cast<double>(x.query_integer("radius_m"));
  q.limit = x.query_integer("limit");
  return q;
}

response answer(const std::vector<neighbour>& found) {
  return json_response(json::object{{"items", to_json(found)}, {"next_cursor", nullptr}});
}

awaitable<response> near_player(service& positions, exchange& x) {
  if (!x.who.may_act_as(x.path("id")))
    co_return problem({errc::forbidden, "a player sees only who is near itself"}, x.request_id);
  const auto at = co_await positions.position(x.path("id"));
  if (!at) co_return problem({errc::not_found, "this player has no live position"}, x.request_id);
  auto q = query_of(x);
  q.middle = *at;
  q.except = x.path("id");
  const auto found = co_await positions.near(std::move(q));
  co_return answer(found);
}

awaitable<response> near_place(service& positions, exchange& x) {
  const auto lat = parse_degrees(x.query("lat"), 90);
  const auto lon = parse_degrees(x.query("lon"), 180);
  if (!lat || !lon)
    co_return problem({errc::invalid_argument, "lat must be -90 to 90 and lon -180 to 180 degrees"},
                      x.request_id);
  auto q = query_of(x);
  q.middle = place{*lat, *lon};
  const auto found = co_await positions.near(std::move(q));
  co_return answer(found);
}

double rounded(double degrees) { return std::round(degrees * 1e5) / 1e5; }

awaitable<response> in_box(map_reader& map, exchange& x) {
  const auto part = parse_box(x.query("bbox"));
  if (!part)
    co_return problem({errc::invalid_argument,
                       "bbox must be west,south,east,north in degrees, south at most north"},
                      x.request_id);
  const auto view = co_await map.look_at(*part, x.query_integer("limit"));
  json::array items;
  for (const auto& p : view.points)
    items.push_back(json::object{{"player_id", p.player_id},
                                 {"lat", rounded(p.at.lat)},
                                 {"lon", rounded(p.at.lon)},
                                 {"age_s", p.age_s}});
  co_return json_response(json::object{{"items", std::move(items)},
                                       {"next_cursor", nullptr},
                                       {"total", view.total},
                                       {"is_partial", view.is_partial}});
}

void add_map_route(router& routes, map_reader& map) {
  auto form = schema::object({{"items", schema::array_of(schema::object(
                                            {{"player_id", schema::id()},
                                             {"lat", schema::number()},
                                             {"lon", schema::number()},
                                             {"age_s", schema::number()}}))},
                              {"next_cursor", schema::nullable(schema::text())},
                              {"total", schema::count()},
                              {"is_partial", schema::boolean()}});
  routes
      .add({verb::get,
            "/api/positions",
            access::admin,
            "Who is in a part of the map",
            [&map](exchange& x) { return in_box(map, x); },
            {},
            {{"bbox", "west,south,east,north in degrees; west > east crosses the 180th meridian",
              "-180,-90,180,90", std::nullopt, schema::text()},
             {"limit", "most positions", std::to_string(map_limit_max),
              std::pair<std::int64_t, std::int64_t>{1, map_limit_max}}},
            "{items, next_cursor, total, is_partial}: live positions, each with the seconds since "
            "its move. When there are more than the limit, an even sample and `is_partial`; "
            "`total` is then an estimate."})
      .gives(200, std::move(form));
}

}  // namespace

void add_routes(router& routes, service& positions, map_reader& map) {
  add_map_route(routes, map);
  const auto bind = [&positions](auto handle) {
    return [&positions, handle](exchange& x) { return handle(positions, x); };
  };
  const query_parameter radius{
      "radius_m", "metres along the surface", "1000",
      std::pair<std::int64_t, std::int64_t>{1, static_cast<std::int64_t>(distance_max_m)}};
  const auto near = schema::page_of(schema::object({{"player_id", schema::id()},
                                                    {"distance_m", schema::number()},
                                                    {"lat", schema::number()},
                                                    {"lon", schema::number()},
                                                    {"alt", schema::number()},
                                                    {"ts", schema::text()}}));
  const auto degrees = [](const char* name, double most) {
    return query_parameter{name,         fmt::format("degrees, -{0} to {0}", most), std::nullopt,
                           std::nullopt, shape::number(-most, most).schema(),       true};
  };
  const char* items = "{items: [{player_id, distance_m, lat, lon, alt, ts}]}, nearest first.";
  routes
      .add({verb::get,
            "/api/players/{id}/nearby",
            access::player,
            "Who is near a player",
            bind(near_player),
            {},
            {radius, limit_parameter()},
            std::string(items) + " 404 when the player itself has no live position."})
      .gives(200, near)
      .refuses({404});
  routes
      .add({verb::get,
            "/api/nearby",
            access::server,
            "Who is near a place",
            bind(near_place),
            {},
            {degrees("lat", 90), degrees("lon", 180), radius, limit_parameter()},
            items})
      .gives(200, near);
}

}  // namespace skirmish::positions
