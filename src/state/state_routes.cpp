#include "state/state_routes.hpp"

#include "core/ids.hpp"
#include "http/etag.hpp"
#include "http/json_schema.hpp"
#include "http/problem.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

namespace skirmish::state {
namespace {

namespace json = boost::json;
using namespace http;

const char* const path = "/api/state/{namespace}/{key}";

std::optional<response> unless_allowed(const exchange& x) {
  if (x.who.as != role::player || player_of(x.path("namespace")) == x.who.id) return std::nullopt;
  return problem({errc::forbidden, "a player may use only its own namespace, player:<id>"},
                 x.request_id);
}

response refused(const exchange& x, const error& e) {
  if (e.code == errc::already_exists)
    return problem(412, {errc::conflict, e.message}, x.request_id);
  return problem(e, x.request_id);
}

result<precondition> precondition_of(const exchange& x) {
  precondition out;
  const auto if_match = x.req.header("if-match");
  const auto version = parse_if_match(if_match);
  if (!version) return version.error();
  if (*version)
    out.if_match = std::to_string(**version);
  else
    out.if_match = if_match;
  const auto if_none_match = x.req.header("if-none-match");
  if (!if_none_match.empty() && if_none_match != "*")
    return error{errc::invalid_argument, "If-None-Match may only be * here"};
  out.if_missing = !if_none_match.empty();
  return out;
}

awaitable<response> put(service& entries, players::service& players, exchange& x) {
  if (auto no = unless_allowed(x)) co_return std::move(*no);
  const auto asked = precondition_of(x);
  if (!asked) co_return refused(x, asked.error());
  const auto value = document_of(x.req);
  if (!value) co_return refused(x, value.error());
  const auto& name_space = x.path("namespace");
  const std::chrono::seconds life{x.query_integer("ttl_s")};
  const auto store = [&] { return entries.put(name_space, x.path("key"), *value, life, *asked); };
  const std::string player(player_of(name_space));
  result<stored_entry> stored;
  if (player.empty())
    stored = co_await store();
  else
    stored = co_await players::known(players, player, store);
  if (!stored) co_return refused(x, stored.error());
  auto r = json_response(json::object{{"namespace", name_space},
                                      {"key", x.path("key")},
                                      {"size_bytes", value->body.size()},
                                      {"expires_at", to_rfc3339(stored->ends_at)}},
                         stored->is_new ? 201 : 200);
  co_return std::move(r.with("ETag", etag_of(stored->version)));
}

awaitable<response> get(service& entries, players::service&, exchange& x) {
  if (auto no = unless_allowed(x)) co_return std::move(*no);
  auto found = co_await entries.get(x.path("namespace"), x.path("key"));
  if (!found) co_return refused(x, found.error());
  const auto etag = etag_of(found->version);
  const auto known = x.req.header("if-none-match");
  response r;
  if (known == "*" || known == etag)
    r.status = 304;
  else
    r = response_of(std::move(found->value));
  co_return std::move(r.with("ETag", etag));
}

awaitable<response> remove(service& entries, players::service&, exchange& x) {
  if (auto no = unless_allowed(x)) co_return std::move(*no);
  auto asked = precondition_of(x);
  if (!asked) co_return refused(x, asked.error());
  auto removed = co_await entries.remove(x.path("namespace"), x.path("key"), std::move(*asked));
  co_return removed ? no_content() : refused(x, removed.error());
}

awaitable<response> list(service& entries, players::service&, exchange& x) {
  if (auto no = unless_allowed(x)) co_return std::move(*no);
  const std::string after(x.query("cursor"));
  if (!after.empty() && !is_valid_id(after))
    co_return refused(x, {errc::invalid_argument, "cursor must be one that this list returned"});
  const auto found = co_await entries.list(x.path("namespace"), after, x.query_integer("limit"));
  if (!found) co_return refused(x, found.error());
  json::array items;
  for (const auto& e : found->items)
    items.push_back(json::object{{"key", e.key},
                                 {"etag", etag_of(e.version)},
                                 {"size_bytes", e.size_bytes},
                                 {"expires_at", to_rfc3339(e.ends_at)}});
  json::object body{
      {"items", std::move(items)},
      {"next_cursor", found->next.empty() ? json::value() : json::value(found->next)}};
  co_return json_response(body);
}

awaitable<response> clear(service& entries, players::service&, exchange& x) {
  if (auto no = unless_allowed(x)) co_return std::move(*no);
  auto cleared = co_await entries.clear(x.path("namespace"));
  co_return cleared ? no_content() : refused(x, cleared.error());
}

}  // namespace

result<document> document_of(const request& r) {
  document out{r.body, is_json_body(r)};
  if (!out.is_json) return out;
  json::parse_options options;
  options.max_depth = 16;
  error_code ec;
  json::parse(out.body, ec, {}, options);
  if (ec) return error{errc::invalid_argument, "the body is not valid JSON"};
  return out;
}

response response_of(document d) {
  response r;
  if (!d.is_json) r.content_type = "application/octet-stream";
  r.body = std::move(d.body);
  return r;
}

void add_routes(router& routes, service& entries, players::service& players) {
  const auto bind = [&entries, &players](auto handle) {
    return [&entries, &players, handle](exchange& x) { return handle(entries, players, x); };
  };
  const auto any = [](const char* what) { return json::object{{"description", what}}; };
  const auto stored = schema::object({{"namespace", schema::id()},
                                      {"key", schema::id()},
                                      {"size_bytes", schema::count()},
                                      {"expires_at", schema::time()}});
  const auto listed = schema::object({{"key", schema::id()},
                                      {"etag", schema::text()},
                                      {"size_bytes", schema::count()},
                                      {"expires_at", schema::time()}});
  routes
      .add({verb::put,
            path,
            access::player,
            "Keep JSON or bytes for a while",
            bind(put),
            {},
            {{"ttl_s", "how long, in seconds", "3600",
              std::pair<std::int64_t, std::int64_t>{1, ttl_max.count()}}},
            "201 when it is new, else 200; with an ETag. 409 when the namespace is full, 412 when "
            "If-Match or If-None-Match does not hold."})
      .gives(201, stored)
      .gives(200, stored)
      .takes_raw_body(body_max_bytes)
      .takes_header("If-Match", "the ETag of what is to be replaced; *: anything that exists",
                    schema::matching(if_match_pattern))
      .takes_header("If-None-Match", "*: only when there is nothing", schema::matching(R"(^\*$)"))
      .refuses({404, 409, 412});
  routes
      .add({verb::get,
            path,
            access::player,
            "What was kept, as it was sent",
            bind(get),
            {},
            {},
            "The body with its ETag; 304 for an If-None-Match that still fits."})
      .gives(200, any("the JSON value"))
      .gives(200, any("the bytes"), "application/octet-stream")
      .gives(304, nullptr, "")
      .takes_header("If-None-Match", "the ETag of what the caller has",
                    schema::matching(if_match_pattern))
      .refuses({404, 409});
  routes.add({verb::delete_, path, access::player, "End an entry", bind(remove), {}, {}, "204."})
      .gives_nothing()
      .takes_header("If-Match", "the ETag of what is to be removed",
                    schema::matching(if_match_pattern))
      .refuses({404, 409, 412});
  routes
      .add(
          {verb::get,
           "/api/state/{namespace}",
           access::player,
           "The entries of a namespace, without their values",
           bind(list),
           {},
           {limit_parameter(), cursor_parameter()},
           "{items, next_cursor}, in the order of the keys. A page may have fewer items than asked "
           "for."})
      .gives(200, schema::page_of(listed))
      .refuses({409});
  routes
      .add({verb::delete_,
            "/api/state/{namespace}",
            access::player,
            "End all entries of a namespace",
            bind(clear),
            {},
            {},
            "204."})
      .gives_nothing()
      .refuses({409});
}

}  // namespace skirmish::state
