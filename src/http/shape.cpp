#include "http/shape.hpp"

#include "core/clock.hpp"
#include "core/ids.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

namespace skirmish::http {

// A shape is its check and its schema; the factories below make both from the same arguments.
struct shape::node {
  std::function<void(const json::value&, const std::string&, body_errors&)> check;
  json::value schema;
};

namespace {

std::string escape_pointer(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c == '~')
      out += "~0";
    else if (c == '/')
      out += "~1";
    else
      out += c;
  }
  return out;
}

// A check of one scalar: `test` gives the complaint, or empty text when the value fits.
auto scalar(std::function<std::string(const json::value&)> test) {
  return [test = std::move(test)](const json::value& v, const std::string& pointer,
                                  body_errors& errors) {
    if (auto complaint = test(v); !complaint.empty()) errors.add(pointer, std::move(complaint));
  };
}

}  // namespace

shape shape::text(std::size_t min_chars, std::size_t max_chars) {
  return words(min_chars, max_chars, lines::many);
}

shape shape::line(std::size_t min_chars, std::size_t max_chars) {
  return words(min_chars, max_chars, lines::one);
}

shape shape::words(std::size_t min_chars, std::size_t max_chars, lines allowed) {
  auto test = [=](const json::value& v) -> std::string {
    if (!v.is_string()) return "must be a string";
    return text_fault(v.get_string(), allowed, min_chars, max_chars).value_or("");
  };
  json::object schema{{"type", "string"},
                      {"minLength", min_chars},
                      {"maxLength", max_chars},
                      {"pattern", text_pattern(allowed)}};
  return shape(std::make_shared<node>(node{scalar(test), std::move(schema)}));
}

shape shape::id() {
  auto test = [](const json::value& v) -> std::string {
    if (!v.is_string() || !is_valid_id(v.get_string()))
      return "must be an id: 1 to 64 of A-Z a-z 0-9 _ . : -";
    return {};
  };
  json::object schema{{"type", "string"}, {"pattern", "^[A-Za-z0-9_.:-]{1,64}$"}};
  return shape(std::make_shared<node>(node{scalar(test), std::move(schema)}));
}

shape shape::word(std::vector<std::string> allowed) {
  json::array words(allowed.begin(), allowed.end());
  auto test = [allowed = std::move(allowed)](const json::value& v) -> std::string {
    if (v.is_string())
      for (const auto& w : allowed)
        if (v.get_string() == w) return {};
    return fmt::format("must be one of {}", fmt::join(allowed, ", "));
  };
  return shape(
      std::make_shared<node>(node{scalar(test), json::object{{"enum", std::move(words)}}}));
}

shape shape::time() {
  auto test = [](const json::value& v) -> std::string {
    if (!v.is_string() || !parse_rfc3339(v.get_string())) return "must be an RFC 3339 time";
    return {};
  };
  json::object schema{{"type", "string"}, {"format", "date-time"}};
  return shape(std::make_shared<node>(node{scalar(test), std::move(schema)}));
}

shape shape::integer(std::int64_t low, std::int64_t high) {
  auto test = [=](const json::value& v) -> std::string {
    if (v.is_int64() && v.get_int64() >= low && v.get_int64() <= high) return {};
    return fmt::format("must be a whole number, {} to {}", low, high);
  };
  json::object schema{{"type", "integer"}, {"minimum", low}, {"maximum", high}};
  return shape(std::make_shared<node>(node{scalar(test), std::move(schema)}));
}

namespace {

// Whether `n` is the number that was sent: beyond 2^53 not every whole number is a double, and the
// parser has rounded what was written with a fraction or an exponent.
bool is_exact(const json::value& v, double n) {
  constexpr std::int64_t limit = std::int64_t{1} << 53;
  if (v.is_double()) return std::abs(n) < static_cast<double>(limit);
  return v.is_int64() && v.get_int64() >= -limit && v.get_int64() <= limit;
}

}  // namespace

shape shape::number(double low, double high) {
  auto test = [=](const json::value& v) -> std::string {
    const bool is_number = v.is_number();
    const double n = is_number ? v.to_number<double>() : 0;
    if (is_number && is_exact(v, n) && n >= low && n <= high) return {};
    return fmt::format("must be a number, {} to {}", low, high);
  };
  json::object schema{{"type", "number"}, {"minimum", low}, {"maximum", high}};
  return shape(std::make_shared<node>(node{scalar(test), std::move(schema)}));
}

shape shape::boolean() {
  auto test = [](const json::value& v) -> std::string {
    return v.is_bool() ? "" : "must be true or false";
  };
  return shape(std::make_shared<node>(node{scalar(test), json::object{{"type", "boolean"}}}));
}

shape shape::anything() { return documented(json::object{}); }

shape shape::any_object() {
  auto test = [](const json::value& v) -> std::string {
    return v.is_object() ? "" : "must be an object";
  };
  return shape(std::make_shared<node>(node{scalar(test), json::object{{"type", "object"}}}));
}

shape shape::documented(json::value schema) {
  auto test = [](const json::value&) -> std::string { return {}; };
  return shape(std::make_shared<node>(node{scalar(test), std::move(schema)}));
}

shape shape::object(std::vector<member> members) {
  json::object properties;
  json::array needed;
  for (const auto& m : members) {
    auto schema = m.value.schema();
    if (!m.description.empty()) schema.as_object()["description"] = m.description;
    properties[m.name] = std::move(schema);
    if (m.when == presence::required) needed.emplace_back(m.name);
  }
  json::object schema{
      {"type", "object"}, {"properties", std::move(properties)}, {"additionalProperties", false}};
  if (!needed.empty()) schema["required"] = std::move(needed);
  auto check = [members = std::move(members)](const json::value& v, const std::string& pointer,
                                              body_errors& errors) {
    if (!v.is_object()) {
      errors.add(pointer, "must be an object");
      return;
    }
    const auto& object = v.get_object();
    for (const auto& m : members) {
      if (const auto* found = object.if_contains(m.name))
        m.value.check(*found, pointer + "/" + escape_pointer(m.name), errors);
      else if (m.when == presence::required)
        errors.add(pointer + "/" + escape_pointer(m.name), "is required");
    }
    for (const auto& item : object) {
      const auto known = std::any_of(members.begin(), members.end(),
                                     [&](auto& m) { return m.name == item.key(); });
      if (!known) errors.add(pointer + "/" + escape_pointer(item.key()), "is not known here");
    }
  };
  return shape(std::make_shared<node>(node{std::move(check), std::move(schema)}));
}

shape shape::map_of(shape value, std::size_t max_members) {
  json::object schema{
      {"type", "object"}, {"additionalProperties", value.schema()}, {"maxProperties", max_members}};
  auto check = [=](const json::value& v, const std::string& pointer, body_errors& errors) {
    if (!v.is_object() || v.get_object().size() > max_members) {
      errors.add(pointer, fmt::format("must be an object of at most {} members", max_members));
      return;
    }
    for (const auto& item : v.get_object()) {
      const auto place = pointer + "/" + escape_pointer(item.key());
      if (!is_valid_id(item.key())) errors.add(place, "is not a valid name");
      value.check(item.value(), place, errors);
    }
  };
  return shape(std::make_shared<node>(node{std::move(check), std::move(schema)}));
}

shape shape::array_of(shape item, std::size_t max_items) {
  json::object schema{{"type", "array"}, {"items", item.schema()}, {"maxItems", max_items}};
  auto check = [=](const json::value& v, const std::string& pointer, body_errors& errors) {
    if (!v.is_array() || v.get_array().size() > max_items) {
      errors.add(pointer, fmt::format("must be an array of at most {} items", max_items));
      return;
    }
    std::size_t index = 0;
    for (const auto& element : v.get_array())
      item.check(element, fmt::format("{}/{}", pointer, index++), errors);
  };
  return shape(std::make_shared<node>(node{std::move(check), std::move(schema)}));
}

void shape::check(const json::value& v, const std::string& pointer, body_errors& errors) const {
  node_->check(v, pointer, errors);
}

json::value shape::schema() const { return node_->schema; }

}  // namespace skirmish::http
