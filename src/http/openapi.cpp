#include "http/openapi.hpp"

#include "core/json_text.hpp"
#include "core/parse.hpp"
#include "http/json_schema.hpp"
#include "http/page_policy.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <algorithm>
#include <cctype>

namespace skirmish::http {
namespace {

constexpr const char* docs_page =
#include "http/docs.html.inc"
    ;
constexpr const char* docs_style =
#include "http/docs.css.inc"
    ;
constexpr const char* docs_script =
#include "http/docs.js.inc"
    ;

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return out;
}

// "/api/players/{id}" is tagged "players".
std::string tag_of(const std::string& pattern) {
  auto rest = std::string_view(pattern).substr(1);
  if (rest.starts_with("api/")) rest.remove_prefix(4);
  return std::string(rest.substr(0, rest.find('/')));
}

json::object parameter(const query_parameter& p, std::string_view place) {
  json::object schema;
  if (p.form.is_object()) schema = p.form.get_object();
  if (!schema.contains("type")) schema["type"] = p.range ? "integer" : "string";
  if (p.range) {
    schema["minimum"] = p.range->first;
    schema["maximum"] = p.range->second;
    if (p.fallback) schema["default"] = parse_integer(*p.fallback).value_or(0);
  } else if (p.fallback && !p.fallback->empty()) {
    schema["default"] = *p.fallback;
  }
  json::object out{{"name", p.name},
                   {"in", place},
                   {"description", p.description},
                   {"schema", std::move(schema)}};
  if (p.needed) out["required"] = true;
  return out;
}

json::array parameters_of(const route& r) {
  json::array out;
  for (std::size_t at = 0; (at = r.pattern.find('{', at)) != std::string::npos; ++at) {
    const auto end = r.pattern.find('}', at);
    out.push_back(json::object{{"name", r.pattern.substr(at + 1, end - at - 1)},
                               {"in", "path"},
                               {"required", true},
                               {"schema", shape::id().schema()}});
  }
  for (const auto& q : r.query) out.push_back(parameter(q, "query"));
  for (const auto& h : r.headers) out.push_back(parameter(h, "header"));
  return out;
}

json::array security_of(access who) {
  if (who == access::anyone) return {json::object{}};
  json::array out{json::object{{"apiKey", json::array{}}}};
  if (who == access::player) out.push_back(json::object{{"session", json::array{}}});
  return out;
}

std::string_view describe(access who) {
  switch (who) {
    case access::anyone: return "Public.";
    case access::player: return "For a player (as itself), a game server or an operator.";
    case access::server: return "For a game server or an operator.";
    case access::admin: return "For an operator.";
  }
  return "";
}

// What a key that has scopes needs.
std::string describe_scope(const route& r) {
  if (r.who == access::anyone) return "";
  const bool reads = r.method == verb::get;
  if (r.group == scope::none)
    return reads ? " A key with scopes needs `read`." : " Not for keys with scopes.";
  return " A key with scopes needs `" + std::string(to_string(r.group)) +
         (reads ? "` or `read`." : "`.");
}

// What may be refused before a handler is asked, and what any handler may run into.
struct refusal {
  int status;
  std::string_view description;
};
constexpr refusal refusals[] = {
    {400, "The request, its query or its body is not as it must be."},
    {401, "A credential is missing or not valid."},
    {403, "This credential may not do that, or whoever asks is banned."},
    {404, "There is no such thing."},
    {409, "What is there does not allow it."},
    {412, "It is not as If-Match or If-None-Match asks."},
    {413, "The body is too large."},
    {415, "The body has another media type than this route takes."},
    {422, "The key was used for another request."},
    {429, "Too many requests; Retry-After says when to come back."},
    {431, "The header is too large."},
    {500, "A defect of this server."},
    {501, "This transfer coding is not supported."},
    {503, "A backend is down; Retry-After says when to come back."},
    {504, "A backend did not answer in time."},
};

std::vector<int> refusals_of(const route& r) {
  std::vector<int> out{400, 403, 413, 431, 500, 501, 503, 504};
  if (r.who != access::anyone) out.push_back(401);
  // Whom a route refuses counts, also where nobody else does.
  const bool may_refuse = r.who != access::anyone || r.pattern.find('{') != std::string::npos;
  if (r.cost > 0 || may_refuse) out.push_back(429);
  if (r.body || (r.raw_body_limit_bytes != 0 && !r.takes_text)) out.push_back(415);
  out.insert(out.end(), r.refusals.begin(), r.refusals.end());
  std::sort(out.begin(), out.end());
  return out;
}

json::object media(const json::value& schema) {
  json::object out;
  if (!schema.is_null()) out["schema"] = schema;
  return out;
}

json::object content(const std::string& type, const json::value& schema) {
  return {{type, media(schema)}};
}

json::object responses_of(const route& r) {
  json::object out;
  for (const auto& o : r.outcomes) {
    json::object one{{"description", r.answer.empty() ? "Done." : r.answer}};
    auto& said = out[std::to_string(o.status)];
    // The same status in another form.
    if (said.is_object() && !o.content_type.empty())
      said.get_object()["content"].as_object()[o.content_type] = media(o.schema);
    if (said.is_object()) continue;
    if (!o.content_type.empty()) one["content"] = content(o.content_type, o.schema);
    said = std::move(one);
  }
  for (const int status : refusals_of(r)) {
    const auto name = std::to_string(status);
    // A route that answers with this status in a form of its own.
    if (!out.contains(name)) out[name] = json::object{{"$ref", "#/components/responses/" + name}};
  }
  return out;
}

json::value described(std::string_view what) { return json::object{{"description", what}}; }

json::object operation(const route& r) {
  json::object out{{"summary", r.summary},
                   {"description", std::string(describe(r.who)) + describe_scope(r)},
                   {"tags", json::array{tag_of(r.pattern)}},
                   {"parameters", parameters_of(r)},
                   {"security", security_of(r.who)},
                   {"responses", responses_of(r)}};
  if (r.body) {
    body_errors missing;
    r.body->check(json::object(), "", missing);
    out["requestBody"] = json::object{{"required", !missing.empty()},
                                      {"content", content("application/json", r.body->schema())}};
  }
  if (r.takes_text)
    out["requestBody"] =
        json::object{{"required", true},
                     {"content", json::object{{"text/plain", media(described("any text"))}}}};
  else if (r.raw_body_limit_bytes != 0)
    out["requestBody"] = json::object{
        {"required", true},
        {"content", json::object{{"application/json", media(described("any JSON value"))},
                                 {"application/octet-stream", media(described("any bytes"))}}}};
  return out;
}

json::value problem_schema() {
  using namespace schema;
  const auto complaint = object({{"pointer", text()}, {"message", text()}});
  return object({{"type", text()},
                 {"title", text()},
                 {"status", integer(400, 599)},
                 {"detail", text()},
                 {"code", text()},
                 {"request_id", text()},
                 {"errors", array_of(complaint), optional}});
}

json::object header(std::string_view description, json::value schema) {
  return {{"description", description}, {"schema", std::move(schema)}};
}

// What a refusal by a rate limit says (docs/rate-limits.md); answers of limited routes have the
// last two as well.
json::object limit_headers() {
  return {{"Retry-After", header("seconds until it may be tried again", schema::count())},
          {"RateLimit-Policy",
           header("the limits that hold here, as `\"name\";q=tokens;w=seconds`", schema::text())},
          {"RateLimit",
           header("what is left of them, as `\"name\";r=tokens;t=seconds`", schema::text())}};
}

json::object shared_responses() {
  const json::object problem{{"$ref", "#/components/schemas/problem"}};
  json::object out;
  for (const auto& r : refusals)
    out[std::to_string(r.status)] = json::object{
        {"description", r.description}, {"content", content("application/problem+json", problem)}};
  out["429"].as_object()["headers"] = limit_headers();
  return out;
}

}  // namespace

json::value openapi_document(const router& routes) {
  json::object paths;
  for (const auto& r : routes.routes()) {
    auto& path = paths[r.pattern];
    if (path.is_null()) path = json::object{};
    path.as_object()[lower(to_string(r.method))] = operation(r);
  }
  json::object schemes{
      {"apiKey", json::object{{"type", "apiKey"}, {"in", "header"}, {"name", "X-API-Key"}}},
      {"session", json::object{{"type", "http"}, {"scheme", "bearer"}}}};
  return json::object{
      {"openapi", "3.1.0"},
      {"info", json::object{{"title", "Skirmish"},
                            {"version", SKIRMISH_VERSION},
                            {"description",
                             "Real-time game backend. WebSocket at /api/ws; see docs/api.md."}}},
      {"paths", std::move(paths)},
      {"components", json::object{{"securitySchemes", std::move(schemes)},
                                  {"schemas", json::object{{"problem", problem_schema()}}},
                                  {"responses", shared_responses()}}}};
}

void add_documentation(router& routes) {
  // Filled when both routes of this function are there, so that it describes them too.
  const auto document = std::make_shared<std::string>();
  auto serve_document = [document](exchange&) -> awaitable<response> {
    response r;
    r.shared_body = document;
    co_return r;
  };
  const auto serving = [](const char* text, const char* content_type) {
    return [text, content_type](exchange&) -> awaitable<response> {
      auto r = text_response(text, content_type);
      with_page_policy(r);
      co_return r;
    };
  };
  routes
      .add({verb::get, "/openapi.json", access::anyone, "This API as an OpenAPI 3.1 document",
            serve_document})
      .gives(200, schema::open_object());
  routes
      .add({verb::get, "/docs", access::anyone, "This API as a page",
            serving(docs_page, "text/html; charset=utf-8")})
      .gives_text("text/html");
  routes
      .add({verb::get, "/docs/docs.css", access::anyone, "The style of /docs",
            serving(docs_style, "text/css; charset=utf-8")})
      .gives_text("text/css");
  routes
      .add({verb::get, "/docs/docs.js", access::anyone, "The script of /docs",
            serving(docs_script, "text/javascript; charset=utf-8")})
      .gives_text("text/javascript");
  *document = json_text_of(openapi_document(routes));
}

}  // namespace skirmish::http
