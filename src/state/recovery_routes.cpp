#include "core/ids.hpp"
#include "http/json_schema.hpp"
#include "http/problem.hpp"
#include "state/state_routes.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

namespace skirmish::state {
namespace {

namespace json = boost::json;
using namespace http;

const char* const path = "/api/recovery/{server}/{key}";

json::value or_null(const std::string& text) {
  return text.empty() ? json::value() : json::value(text);
}

// Nothing for a snapshot that belongs to no stream.
result<std::optional<stream_position>> position_of(const exchange& x) {
  if (x.has_query("stream") != x.has_query("seq"))
    return error{errc::invalid_argument, "stream and seq belong together"};
  if (!x.has_query("stream")) return std::optional<stream_position>{};
  stream_position out{std::string(x.query("stream")), x.query_integer("seq")};
  if (!is_valid_id(out.stream))
    return error{errc::invalid_argument, "stream must be an id: 1 to 64 of A-Z a-z 0-9 _ . : -"};
  return std::optional{std::move(out)};
}

json::object to_json(const snapshot& s) {
  json::object out{{"id", s.id},
                   {"created_at", to_rfc3339(s.created_at)},
                   {"size_bytes", s.size_bytes},
                   {"stream", nullptr},
                   {"seq", nullptr},
                   {"cursor", or_null(s.cursor)}};
  if (s.position) {
    out["stream"] = s.position->stream;
    out["seq"] = s.position->seq;
  }
  return out;
}

awaitable<response> put(recovery& snapshots, exchange& x) {
  auto position = position_of(x);
  if (!position) co_return problem(position.error(), x.request_id);
  auto value = document_of(x.req);
  if (!value) co_return problem(value.error(), x.request_id);
  const auto stored = co_await snapshots.put(x.path("server"), x.path("key"), std::move(*value),
                                             std::move(*position));
  if (!stored) co_return problem(stored.error(), x.request_id);
  co_return json_response(json::object{{"id", stored->id}, {"cursor", or_null(stored->cursor)}},
                          201);
}

awaitable<response> list(recovery& snapshots, exchange& x) {
  const auto all = co_await snapshots.list(x.path("server"), x.path("key"));
  if (!all) co_return problem(all.error(), x.request_id);
  json::array items;
  for (const auto& s : *all) items.push_back(to_json(s));
  json::object body{{"items", std::move(items)}};
  co_return json_response(body);
}

awaitable<response> get(recovery& snapshots, exchange& x) {
  std::optional<std::string> id;
  if (x.path("id") != "latest") id = x.path("id");
  auto found = co_await snapshots.get(x.path("server"), x.path("key"), std::move(id));
  if (!found) co_return problem(found.error(), x.request_id);
  const auto& about = found->about;
  auto r = response_of({std::move(found->body), about.is_json});
  r.with("Snapshot-Id", about.id);
  if (about.position)
    r.with("Snapshot-Stream", about.position->stream)
        .with("Snapshot-Seq", std::to_string(about.position->seq));
  if (!about.cursor.empty()) r.with("Snapshot-Cursor", about.cursor);
  co_return r;
}

awaitable<response> remove(recovery& snapshots, exchange& x) {
  auto removed = co_await snapshots.remove(x.path("server"), x.path("key"));
  co_return removed ? no_content() : problem(removed.error(), x.request_id);
}

}  // namespace

void add_routes(router& routes, recovery& snapshots) {
  const auto bind = [&snapshots](auto handle) {
    return [&snapshots, handle](exchange& x) { return handle(snapshots, x); };
  };
  const auto any = [](const char* what) { return json::object{{"description", what}}; };
  const auto cursor = schema::nullable(schema::text());
  const auto listed = schema::object({{"id", schema::id()},
                                      {"created_at", schema::time()},
                                      {"size_bytes", schema::count()},
                                      {"stream", schema::nullable(schema::id())},
                                      {"seq", schema::nullable(schema::count())},
                                      {"cursor", cursor}});
  routes
      .add({verb::put,
            path,
            access::server,
            "Store a snapshot of what a game server would lose",
            bind(put),
            {},
            {{"stream", "the stream whose frames it knows", {}, {}, schema::id()},
             {"seq",
              "the last of them; committed before",
              {},
              std::pair<std::int64_t, std::int64_t>{0, frame_number_max}}},
            "201 {id, cursor}: what the stream commits later is behind `cursor` in the log. 409 "
            "when the stream has not committed that frame, or a later one has a snapshot."})
      .gives(201, schema::object({{"id", schema::id()}, {"cursor", cursor}}))
      .takes_raw_body(snapshot_max_bytes)
      .refuses({409});
  routes
      .add({verb::get,
            path,
            access::server,
            "The snapshots that are kept",
            bind(list),
            {},
            {},
            "{items}, the newest first."})
      .gives(200, schema::object({{"items", schema::array_of(listed)}}))
      .refuses({409});
  routes
      .add({verb::delete_,
            path,
            access::server,
            "Drop all snapshots of a key",
            bind(remove),
            {},
            {},
            "204."})
      .gives_nothing()
      .refuses({404});
  routes
      .add({verb::get,
            "/api/recovery/{server}/{key}/{id}",
            access::server,
            "A snapshot, as it was sent",
            bind(get),
            {},
            {},
            "The body; `latest` is the newest. Snapshot-Id, Snapshot-Stream, Snapshot-Seq and "
            "Snapshot-Cursor tell the rest."})
      .gives(200, any("the JSON value"))
      .gives(200, any("the bytes"), "application/octet-stream")
      .refuses({404, 409});
}

}  // namespace skirmish::state
