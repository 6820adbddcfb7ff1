// /api/players/{id}/notes
#include "players/notes.hpp"

#include "core/ids.hpp"
#include "http/json_schema.hpp"
#include "http/problem.hpp"

#include <boost/json/array.hpp>

#include <utility>

namespace skirmish::players {
namespace {

using namespace http;

constexpr std::size_t cursor_max_bytes = 100;

json::object to_json(const note& n) {
  return {{"note_id", n.note_id},
          {"text", n.text},
          {"author", n.author},
          {"label", n.label},
          {"created_at", to_rfc3339(n.created_at)}};
}

}  // namespace

awaitable<response> note_book::answer_list(exchange& x) {
  const auto cursor = x.query("cursor");
  if (cursor.size() > cursor_max_bytes)
    co_return problem({errc::invalid_argument, "cursor must be one that this list returned"},
                      x.request_id);
  const auto found = co_await list(x.path("id"), std::string(cursor), x.query_integer("limit"));
  if (!found) co_return problem(found.error(), x.request_id);
  json::array items;
  for (const auto& n : found->items) items.push_back(to_json(n));
  json::object body{{"items", std::move(items)}, {"next_cursor", nullptr}};
  if (found->more) body["next_cursor"] = cursor_of(found->items.back());
  co_return std::move(json_response(body).with("Cache-Control", "no-store"));
}

awaitable<response> note_book::answer_add(exchange& x) {
  note n;
  n.player_id = x.path("id");
  n.note_id = x.req.header("idempotency-key");
  if (n.note_id.empty()) n.note_id = random_hex(8);
  if (!is_valid_id(n.note_id))
    co_return problem({errc::invalid_argument, "Idempotency-Key must be an id"}, x.request_id);
  n.author = x.who.id;
  n.text = *x.text("text");
  const auto written = co_await add(std::move(n));
  if (!written) co_return problem(written.error(), x.request_id);
  co_return json_response(to_json(*written), 201);
}

awaitable<response> note_book::answer_remove(exchange& x) {
  const auto removed = co_await remove(x.path("id"), x.path("note_id"));
  co_return removed ? no_content() : problem(removed.error(), x.request_id);
}

void note_book::add_to(router& routes) {
  const auto form = schema::object({{"note_id", schema::id()},
                                    {"text", schema::text()},
                                    {"author", schema::id()},
                                    {"label", schema::text()},
                                    {"created_at", schema::time()}});
  const std::string path = "/api/players/{id}/notes";
  routes
      .add({verb::get,
            path,
            access::admin,
            "What operators noted about a player",
            [this](exchange& x) { return answer_list(x); },
            {},
            {limit_parameter(), cursor_parameter()},
            "{items, next_cursor}, the newest first. `author` is the id of an API key, `label` its "
            "label, empty when the key is gone."})
      .gives(200, schema::page_of(form))
      .refuses({404});
  routes
      .add({verb::post,
            path,
            access::admin,
            "Note something about a player, for other operators",
            [this](exchange& x) { return answer_add(x); },
            shape::object({{"text", shape::text(1, text_max_chars)}}),
            {},
            "201 and the note. A player has at most 200; they are deleted with the player."})
      .gives(201, form)
      .takes_header("Idempotency-Key", "a note sent again with the same key is written once",
                    schema::id())
      .refuses({404, 409});
  routes
      .add({verb::delete_, path + "/{note_id}", access::admin, "Delete a note",
            [this](exchange& x) { return answer_remove(x); }})
      .gives_nothing()
      .refuses({404});
}

}  // namespace skirmish::players
