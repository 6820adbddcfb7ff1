#include "apikeys/apikeys_routes.hpp"

#include "apikeys/revocations.hpp"
#include "core/log.hpp"
#include "http/json_schema.hpp"
#include "http/problem.hpp"

#include <boost/json/array.hpp>

#include <algorithm>

namespace skirmish::apikeys {
namespace {

namespace json = boost::json;
using namespace http;

constexpr std::int64_t life_max_s = 10LL * 366 * 86'400;

json::value time_or_null(const std::optional<timestamp>& t) {
  return t ? json::value(to_rfc3339(*t)) : json::value();
}

// "events,read" of ["events","read"]; empty when there are none.
std::string joined(const json::array& words) {
  std::string out;
  for (const auto& w : words) {
    if (!out.empty()) out += ',';
    out += std::string_view(w.get_string());
  }
  return out;
}

result<key_wish> wish_of(const exchange& x) {
  key_wish out;
  out.role = *x.text("role");
  out.label = x.text("label").value_or("");
  if (const auto* scopes_given = x.body.get_object().if_contains("scopes")) {
    if (scopes_given->get_array().empty())
      return error{errc::invalid_argument, "scopes must name one; leave it out for all"};
    auto allowed = scopes::parse(joined(scopes_given->get_array()));
    if (!allowed) return allowed.error();
    out.allowed = *allowed;
  }
  if (const auto life_s = x.integer("expires_in_s")) out.life = std::chrono::seconds{*life_s};
  if (auto ok = check(out); !ok) return ok.error();
  return out;
}

awaitable<response> create(apikeys::store& store, exchange& x) {
  auto wish = wish_of(x);
  if (!wish) co_return problem(wish.error(), x.request_id);
  const auto made = co_await store.create(std::move(*wish));
  auto body = to_json(made.row);
  body["key"] = made.key;
  co_return std::move(json_response(body, 201).with("Cache-Control", "no-store"));
}

awaitable<response> list(apikeys::store& store, exchange&) {
  const auto all = co_await store.list();
  json::array items;
  for (const auto& k : all) items.push_back(to_json(k));
  json::object body{{"items", std::move(items)}};
  co_return json_response(body);
}

// Both are told, SQL first: it knows which keys exist. One of the two is enough for the servers.
awaitable<response> revoke(apikeys::store& store, redis::client& redis,
                           const redis::key_space& keys, exchange& x) {
  const auto& key_id = x.path("key_id");
  std::string problem_of_sql;
  try {
    auto revoked = co_await store.revoke(key_id);
    if (!revoked) co_return problem(revoked.error(), x.request_id);
  } catch (const failure& e) {
    problem_of_sql = e.what();
  }
  try {
    co_await announce_revocation(redis, keys, key_id);
  } catch (const failure& e) {
    if (!problem_of_sql.empty()) throw;
    log::warn("revocation_not_announced", {{"key_id", key_id}, {"error", e.what()}});
  }
  if (!problem_of_sql.empty())
    throw failure(errc::unavailable,
                  "the servers refuse the key, SQL does not know: " + problem_of_sql);
  co_return no_content();
}

}  // namespace

json::object to_json(const api_key& k) {
  json::array allowed;
  const auto text = k.allowed.to_text();
  std::string_view rest = text;
  while (!rest.empty()) {
    const auto end = std::min(rest.find(','), rest.size());
    allowed.push_back(json::value(rest.substr(0, end)));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return {{"key_id", k.key_id},
          {"role", k.role},
          {"label", k.label},
          {"scopes", k.allowed.are_all() ? json::value() : json::value(std::move(allowed))},
          {"created_at", to_rfc3339(k.created_at)},
          {"expires_at", time_or_null(k.expires_at)},
          {"last_used_at", time_or_null(k.last_used_at)},
          {"is_revoked", k.revoked}};
}

void add_api_key_routes(router& routes, apikeys::store& store, redis::client& redis,
                        const redis::key_space& keys) {
  const std::vector<std::string> words{"chat", "events", "players", "read", "state", "tasks"};
  const auto form = [&words](bool with_key) {
    std::vector<schema::property> members{
        {"key_id", schema::id()},
        {"role", schema::word({"server", "admin", "viewer"})},
        {"label", schema::text()},
        {"scopes", schema::nullable(schema::array_of(schema::word(words)))},
        {"created_at", schema::time()},
        {"expires_at", schema::nullable(schema::time())},
        {"last_used_at", schema::nullable(schema::time())},
        {"is_revoked", schema::boolean()}};
    if (with_key) members.push_back({"key", schema::text()});
    return schema::object(members);
  };
  routes
      .add({verb::post,
            "/api/keys",
            access::admin,
            "Create an API key",
            [&store](exchange& x) { return create(store, x); },
            shape::object(
                {{"role", shape::word({"server", "admin", "viewer"})},
                 {"label", shape::line(0, label_max_chars), optional, "who uses it"},
                 {"scopes", shape::array_of(shape::word(words), words.size()), optional,
                  "what it may be used for; all that its role may when absent"},
                 {"expires_in_s", shape::integer(1, life_max_s), optional, "never when absent"}}),
            {},
            "201 and the key, shown once."})
      .gives(201, form(true));
  routes
      .add({verb::get,
            "/api/keys",
            access::admin,
            "API keys, never their secrets",
            [&store](exchange& x) { return list(store, x); },
            {},
            {},
            "{items}, the oldest first. `scopes` is null for all, `last_used_at` true to the "
            "minute."})
      .gives(200, schema::object({{"items", schema::array_of(form(false))}}));
  routes
      .add({verb::delete_,
            "/api/keys/{key_id}",
            access::admin,
            "Revoke a key: refused everywhere within a second",
            [&store, &redis, &keys](exchange& x) { return revoke(store, redis, keys, x); },
            {},
            {},
            "204."})
      .gives_nothing()
      .refuses({404});
}

}  // namespace skirmish::apikeys
