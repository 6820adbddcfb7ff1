#include "http/json_schema.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <utility>

namespace skirmish::http::schema {

json::value text() { return json::object{{"type", "string"}}; }
json::value id() { return shape::id().schema(); }
json::value time() { return shape::time().schema(); }
json::value number() { return json::object{{"type", "number"}}; }
json::value boolean() { return json::object{{"type", "boolean"}}; }
json::value anything() { return json::object{}; }
json::value open_object() { return json::object{{"type", "object"}}; }

json::value integer(std::int64_t low, std::int64_t high) {
  return json::object{{"type", "integer"}, {"minimum", low}, {"maximum", high}};
}

json::value count() { return json::object{{"type", "integer"}, {"minimum", 0}}; }

json::value word(const std::vector<std::string>& allowed) { return shape::word(allowed).schema(); }

json::value object(const std::vector<property>& members) {
  json::object properties;
  json::array needed;
  for (const auto& m : members) {
    properties[m.name] = m.value;
    if (m.when == required) needed.emplace_back(m.name);
  }
  json::object out{{"type", "object"}, {"properties", std::move(properties)}};
  out["additionalProperties"] = false;
  if (!needed.empty()) out["required"] = std::move(needed);
  return out;
}

json::value map_of(json::value member) {
  return json::object{{"type", "object"}, {"additionalProperties", std::move(member)}};
}

json::value array_of(json::value item) {
  return json::object{{"type", "array"}, {"items", std::move(item)}};
}

json::value nullable(json::value of) {
  return any_of({std::move(of), json::object{{"type", "null"}}});
}

json::value any_of(std::initializer_list<json::value> forms) {
  json::array list(forms.begin(), forms.end());
  return json::object{{"anyOf", std::move(list)}};
}

json::value page_of(json::value item) {
  return object({{"items", array_of(std::move(item))}, {"next_cursor", nullable(text())}});
}

json::value matching(std::string_view pattern) {
  return json::object{{"type", "string"}, {"pattern", pattern}};
}

}  // namespace skirmish::http::schema
