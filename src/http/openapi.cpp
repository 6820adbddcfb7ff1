#include "http/openapi.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <cctype>

namespace skirmish::http {
namespace {

constexpr const char* docs_page =
#include "http/docs.html.inc"
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

json::array parameters_of(const route& r) {
  json::array out;
  for (std::size_t at = 0; (at = r.pattern.find('{', at)) != std::string::npos; ++at) {
    const auto end = r.pattern.find('}', at);
    out.push_back(json::object{{"name", r.pattern.substr(at + 1, end - at - 1)},
                               {"in", "path"},
                               {"required", true},
                               {"schema", shape::id().schema()}});
  }
  for (const auto& q : r.query) {
    json::object schema{{"type", q.range ? "integer" : "string"}};
    if (q.range) {
      schema["minimum"] = q.range->first;
      schema["maximum"] = q.range->second;
    }
    if (q.fallback) schema["default"] = *q.fallback;
    out.push_back(json::object{{"name", q.name},
                               {"in", "query"},
                               {"description", q.description},
                               {"schema", std::move(schema)}});
  }
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

json::object operation(const route& r) {
  json::object responses{
      {"200", json::object{{"description", r.answer.empty() ? "Done." : r.answer}}},
      {"default",
       json::object{
           {"description", "A problem (RFC 9457)."},
           {"content",
            json::object{
                {"application/problem+json",
                 json::object{
                     {"schema", json::object{{"$ref", "#/components/schemas/problem"}}}}}}}}}};
  json::object out{{"summary", r.summary},
                   {"description", describe(r.who)},
                   {"tags", json::array{tag_of(r.pattern)}},
                   {"parameters", parameters_of(r)},
                   {"security", security_of(r.who)},
                   {"responses", std::move(responses)}};
  if (r.body)
    out["requestBody"] = json::object{
        {"required", true},
        {"content",
         json::object{{"application/json", json::object{{"schema", r.body->schema()}}}}}};
  return out;
}

json::object problem_schema() {
  const json::object text{{"type", "string"}};
  return {{"type", "object"},
          {"properties", json::object{{"type", text},
                                      {"title", text},
                                      {"status", json::object{{"type", "integer"}}},
                                      {"detail", text},
                                      {"code", text},
                                      {"request_id", text},
                                      {"errors", json::object{{"type", "array"}}}}},
          {"required", json::array{"title", "status", "code"}}};
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
                                  {"schemas", json::object{{"problem", problem_schema()}}}}}};
}

void add_documentation(router& routes) {
  const auto document =
      std::make_shared<const std::string>(json::serialize(openapi_document(routes)));
  auto serve_document = [document](exchange&) -> awaitable<response> {
    response r;
    r.shared_body = document;
    co_return r;
  };
  auto serve_page = [](exchange&) -> awaitable<response> {
    auto r = text_response(docs_page, "text/html; charset=utf-8");
    r.with("Content-Security-Policy",
           "default-src 'self'; script-src 'unsafe-inline'; style-src 'unsafe-inline'");
    co_return r;
  };
  routes.add({verb::get, "/openapi.json", access::anyone, "This API as an OpenAPI 3.1 document",
              serve_document});
  routes.add({verb::get, "/docs", access::anyone, "This API as a page", serve_page});
}

}  // namespace skirmish::http
