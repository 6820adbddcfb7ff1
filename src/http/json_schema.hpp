// JSON Schema (draft 2020-12) of what answers hold, for the OpenAPI document. Bodies of requests
// have a `shape`, which checks them as well.
//
//   const auto profile = schema::object({{"player_id", schema::id()}, {"name", schema::text()}});
#pragma once

#include "http/shape.hpp"

#include <string>
#include <vector>

namespace skirmish::http::schema {

struct property {
  std::string name;
  json::value value;
  presence when = required;
};

json::value text();
json::value id();
json::value time();  // RFC 3339
json::value integer(std::int64_t low, std::int64_t high);
json::value count();  // a whole number from 0 on
json::value number();
json::value boolean();
json::value word(const std::vector<std::string>& allowed);
// Any JSON value.
json::value anything();
// An object with any members.
json::value open_object();
// An object with these members and no others.
json::value object(const std::vector<property>& members);
// An object with members of any name, each of the same form.
json::value map_of(json::value member);
json::value array_of(json::value item);
json::value nullable(json::value of);
json::value any_of(std::initializer_list<json::value> forms);
// A page of a list: `items` and `next_cursor`, which is null on the last one.
json::value page_of(json::value item);

// A text of this pattern (ECMA 262, as JSON Schema has it).
json::value matching(std::string_view pattern);

}  // namespace skirmish::http::schema
