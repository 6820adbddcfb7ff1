#include "interactions/completions_routes.hpp"

#include "http/json_schema.hpp"
#include "http/problem.hpp"

#include <boost/json/object.hpp>

namespace skirmish::interactions {
namespace {

namespace json = boost::json;
using namespace http;

awaitable<response> complete(engine& engine, exchange& x) {
  frame f;
  completion c;
  c.id = x.text("completion_id").value_or("");
  c.level_id = x.path("id");
  c.player_id = *x.text("player_id");
  c.score = *x.integer("score");
  f.events.emplace_back(c);
  f.indices.push_back(0);
  auto out = co_await engine.commit(std::move(f));
  if (out.failed) co_return problem(*out.failed, x.request_id);
  if (!out.rejected.empty()) co_return problem(out.rejected.front().why, x.request_id);
  json::object body{{"level_id", c.level_id},
                    {"player_id", c.player_id},
                    {"score", c.score},
                    {"repeated", out.repeated > 0}};
  if (!c.id.empty()) body["completion_id"] = c.id;
  co_return json_response(body, out.repeated > 0 ? 200 : 201);
}

}  // namespace

void add_completion_routes(router& routes, engine& engine) {
  const auto counted = schema::object({{"level_id", schema::id()},
                                       {"player_id", schema::id()},
                                       {"score", schema::integer(-score_max, score_max)},
                                       {"repeated", schema::boolean()},
                                       {"completion_id", schema::id(), optional}});
  routes
      .add({verb::post,
            "/api/levels/{id}/completions",
            access::server,
            "A player has completed a level",
            [&engine](exchange& x) { return complete(engine, x); },
            shape::object({{"player_id", shape::id(), required},
                           {"score", shape::integer(-score_max, score_max), required,
                            "added to the boards `global` and `level:<id>`"},
                           {"completion_id", shape::id(), optional,
                            "counts once in 24 hours, however often it is sent"}}),
            {},
            "201, or 200 with `repeated: true` for a completion_id that counted already."})
      .gives(200, counted)
      .gives(201, counted)
      .refuses({404, 409, 422});
}

}  // namespace skirmish::interactions
