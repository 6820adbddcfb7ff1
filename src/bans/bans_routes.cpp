#include "bans/bans_routes.hpp"

#include "http/json_schema.hpp"
#include "http/problem.hpp"

#include <boost/json/array.hpp>

#include <algorithm>

namespace skirmish::bans {
namespace {

using namespace http;

// Longer than any name of a ban.
constexpr std::size_t cursor_max_bytes = 100;

awaitable<response> list(store& bans, exchange& x) {
  const auto cursor = x.query("cursor");
  if (cursor.size() > cursor_max_bytes)
    co_return problem({errc::invalid_argument, "cursor must be one that this list returned"},
                      x.request_id);
  const auto all = co_await bans.list();
  const auto limit = static_cast<std::size_t>(x.query_integer("limit"));
  const auto kind_word = x.query("kind");
  json::array items;
  std::string last;
  bool more = false;
  for (const auto& b : all) {
    auto name = name_of(b.of);
    if (name <= cursor || (!kind_word.empty() && to_string(b.of.is) != kind_word)) continue;
    more = items.size() == limit;
    if (more) break;
    items.push_back(to_json(b));
    last = std::move(name);
  }
  json::object body{{"items", std::move(items)},
                    {"next_cursor", more ? json::value(last) : json::value()}};
  co_return json_response(body);
}

awaitable<response> read(store& bans, exchange& x) {
  auto of = parse_subject(x.path("kind"), x.path("value"));
  if (!of) co_return problem(of.error(), x.request_id);
  const auto found = co_await bans.find(std::move(*of));
  if (!found) co_return problem({errc::not_found, "there is no such ban"}, x.request_id);
  co_return json_response(to_json(*found));
}

awaitable<response> put(store& bans, const clock& time, exchange& x) {
  auto of = parse_subject(x.path("kind"), x.path("value"));
  if (!of) co_return problem(of.error(), x.request_id);
  if (of->is == kind::key && of->value == x.who.id)
    co_return problem({errc::invalid_argument, "a key cannot ban itself"}, x.request_id);
  const auto now = time.now();
  ban made{std::move(*of), *x.text("reason"), x.who.id, now,
           now + std::chrono::seconds{*x.integer("expires_in_s")}};
  const auto stored = co_await bans.put(made);
  if (!stored) co_return problem(stored.error(), x.request_id);
  co_return json_response(to_json(made));
}

awaitable<response> remove(store& bans, exchange& x) {
  auto of = parse_subject(x.path("kind"), x.path("value"));
  if (!of) co_return problem(of.error(), x.request_id);
  const auto removed = co_await bans.remove(std::move(*of));
  co_return removed ? no_content() : problem(removed.error(), x.request_id);
}

}  // namespace

void add_routes(router& routes, store& bans, const clock& time) {
  const auto form = schema::object({{"kind", schema::word(kind_words())},
                                    {"value", schema::id()},
                                    {"reason", schema::text()},
                                    {"author", schema::text()},
                                    {"created_at", schema::time()},
                                    {"until", schema::time()}});
  query_parameter of_kind{"kind", "only bans of this kind", std::nullopt, std::nullopt};
  of_kind.form = schema::word(kind_words());
  routes
      .add({verb::get,
            "/api/bans",
            access::admin,
            "The bans in force",
            [&bans](exchange& x) { return list(bans, x); },
            {},
            {of_kind, limit_parameter(), cursor_parameter()},
            "{items, next_cursor}, by kind and value."})
      .gives(200, schema::page_of(form));
  routes
      .add({verb::get,
            "/api/bans/{kind}/{value}",
            access::admin,
            "A ban",
            [&bans](exchange& x) { return read(bans, x); },
            {},
            {},
            "The ban."})
      .gives(200, form)
      .refuses({404});
  routes
      .add(
          {verb::put,
           "/api/bans/{kind}/{value}",
           access::admin,
           "Shut a player, an API key, an address or a network out for a time",
           [&bans, &time](exchange& x) { return put(bans, time, x); },
           shape::object(
               {{"reason", shape::line(1, reason_max_chars), required, "its subject reads it, too"},
                {"expires_in_s", shape::integer(1, life_max.count())}}),
           {},
           "The ban, which replaces the one of the same subject. `kind` is player, key, address or "
           "network; a network is written 203.0.113.0-24. In force everywhere within a second."})
      .gives(200, form)
      .refuses({409});
  routes
      .add({verb::delete_,
            "/api/bans/{kind}/{value}",
            access::admin,
            "End a ban",
            [&bans](exchange& x) { return remove(bans, x); },
            {},
            {},
            "204. In force everywhere within a second."})
      .gives_nothing()
      .refuses({404});
}

}  // namespace skirmish::bans
