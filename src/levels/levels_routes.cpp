#include "levels/levels_routes.hpp"

#include "core/ids.hpp"
#include "http/etag.hpp"
#include "http/json_schema.hpp"
#include "http/problem.hpp"

#include <boost/json/array.hpp>

namespace skirmish::levels {
namespace {

namespace json = boost::json;
using namespace http;

json::object to_json(const level& l) {
  return {{"level_id", l.level_id},
          {"name", l.name},
          {"difficulty", l.difficulty},
          {"description", l.description},
          {"created_at", to_rfc3339(l.created_at)}};
}

response level_response(const level& l, int status = 200) {
  auto r = json_response(to_json(l), status);
  r.with("ETag", etag_of(l.version));
  return r;
}

awaitable<response> create(service& levels, exchange& x) {
  level l;
  l.level_id = x.text("level_id").value_or(random_uuid());
  l.name = *x.text("name");
  l.difficulty = x.text("difficulty").value_or(l.difficulty);
  l.description = x.text("description").value_or("");
  auto made = co_await levels.create(std::move(l));
  if (!made) co_return problem(made.error(), x.request_id);
  auto r = level_response(*made, 201);
  r.with("Location", "/api/levels/" + made->level_id);
  co_return r;
}

awaitable<response> read(service& levels, exchange& x) {
  auto found = co_await levels.get(x.path("id"));
  if (!found) co_return problem(found.error(), x.request_id);
  auto r = level_response(found->first);
  r.with("X-Cache", std::string(to_string(found->second)));
  co_return r;
}

awaitable<response> update(service& levels, exchange& x) {
  auto if_version = parse_if_match(x.req.header("if-match"));
  if (!if_version) co_return problem(if_version.error(), x.request_id);
  level_change change{x.text("name"), x.text("difficulty"), x.text("description")};
  auto changed = co_await levels.update(x.path("id"), std::move(change), *if_version);
  if (!changed && changed.error().code == errc::conflict && *if_version)
    co_return problem(412, changed.error(), x.request_id);
  co_return changed ? level_response(*changed) : problem(changed.error(), x.request_id);
}

awaitable<response> remove(service& levels, exchange& x) {
  auto removed = co_await levels.remove(x.path("id"));
  co_return removed ? no_content() : problem(removed.error(), x.request_id);
}

awaitable<response> list(service& levels, exchange& x) {
  if (x.query("sort") == "popular") {
    json::array most;
    for (const auto& [l, completions] : co_await levels.popular(x.query_integer("limit"))) {
      auto o = to_json(l);
      o["completions"] = completions;
      most.push_back(std::move(o));
    }
    co_return json_response(json::object{{"items", std::move(most)}, {"next_cursor", nullptr}});
  }
  const std::string after(x.query("cursor"));
  if (!after.empty() && !is_valid_id(after))
    co_return problem({errc::invalid_argument, "cursor must be a next_cursor of this list"},
                      x.request_id);
  const auto limit = x.query_integer("limit");
  // One more than asked tells whether there is a next page.
  auto found = co_await levels.list(after, limit + 1);
  json::value next;
  if (found.size() > static_cast<std::size_t>(limit)) {
    found.pop_back();
    next = found.back().level_id;
  }
  json::array items;
  for (const auto& l : found) items.push_back(to_json(l));
  co_return json_response(json::object{{"items", std::move(items)}, {"next_cursor", next}});
}

}  // namespace

void add_routes(router& routes, service& levels) {
  const auto bind = [&levels](auto handle) {
    return [&levels, handle](exchange& x) { return handle(levels, x); };
  };
  const auto name = shape::line(1, 128);
  const auto difficulty = shape::line(1, 64);
  const auto description = shape::text(0, 10'000);
  const std::vector<schema::property> members{{"level_id", schema::id()},
                                              {"name", schema::text()},
                                              {"difficulty", schema::text()},
                                              {"description", schema::text()},
                                              {"created_at", schema::time()}};
  const auto whole = schema::object(members);
  auto listed = members;
  listed.push_back({"completions", schema::count(), optional});
  routes
      .add({verb::get,
            "/api/levels",
            access::anyone,
            "Levels in the order of their ids, or the most completed ones",
            bind(list),
            {},
            {limit_parameter(),
             cursor_parameter(),
             {"sort",
              "id, or popular: by completions, one page",
              "id",
              {},
              schema::word({"id", "popular"})}}})
      .gives(200, schema::page_of(schema::object(listed)));
  routes
      .add({verb::post,
            "/api/levels",
            access::admin,
            "Create a level",
            bind(create),
            shape::object({{"level_id", shape::id(), optional, "a UUID is made when absent"},
                           {"name", name, required},
                           {"difficulty", difficulty, optional, "Medium when absent"},
                           {"description", description, optional}}),
            {},
            "201 and the level. 409 when the id is taken."})
      .gives(201, whole)
      .refuses({409});
  routes
      .add({verb::get,
            "/api/levels/{id}",
            access::anyone,
            "A level",
            bind(read),
            {},
            {},
            "The level, with ETag and X-Cache: hit, miss or stale."})
      .gives(200, whole)
      .refuses({404});
  routes
      .add({verb::patch,
            "/api/levels/{id}",
            access::admin,
            "Change a level",
            bind(update),
            shape::object({{"name", name, optional},
                           {"difficulty", difficulty, optional},
                           {"description", description, optional}}),
            {},
            "The changed level. If-Match is honoured: 412 when it has changed since."})
      .gives(200, whole)
      .takes_header("If-Match", "the ETag of what is to be changed",
                    schema::matching(if_match_pattern))
      .refuses({404, 409, 412});
  routes
      .add({verb::delete_,
            "/api/levels/{id}",
            access::admin,
            "Delete a level",
            bind(remove),
            {},
            {},
            "204."})
      .gives_nothing()
      .refuses({404});
}

}  // namespace skirmish::levels
