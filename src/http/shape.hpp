// The shape of a JSON body: one description that validates bodies (all complaints at once, each
// with its JSON pointer) and that becomes the JSON Schema in the OpenAPI document.
//
//   const auto player = shape::object({
//       {"name", shape::text(1, 64), required, "shown to others"},
//       {"email", shape::text(3, 254), optional},
//   });
//
// Members that an object shape does not name are complaints too.
#pragma once

#include "core/text.hpp"
#include "http/problem.hpp"

#include <boost/json/value.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace skirmish::http {

enum class presence { optional, required };
inline constexpr auto optional = presence::optional;
inline constexpr auto required = presence::required;

struct member;

class shape {
 public:
  // Text of `min` to `max` characters in which text_fault() finds nothing: of several lines, or of
  // one.
  static shape text(std::size_t min_chars, std::size_t max_chars);
  static shape line(std::size_t min_chars, std::size_t max_chars);
  // An id as is_valid_id() has it.
  static shape id();
  // One of the given words.
  static shape word(std::vector<std::string> allowed);
  // A time as parse_rfc3339() reads it.
  static shape time();
  static shape integer(std::int64_t low, std::int64_t high);
  // A finite number; whole numbers are fine.
  static shape number(double low, double high);
  static shape boolean();
  static shape object(std::vector<member> members);
  // An object with any ids as member names, each of the same shape.
  static shape map_of(shape value, std::size_t max_members);
  static shape array_of(shape item, std::size_t max_items);
  // Any JSON value (its size is bounded by the body limit).
  static shape anything();
  // An object with any members.
  static shape any_object();
  // What the handler checks by itself: here only the form that the document shows.
  static shape documented(json::value schema);

  // Appends a complaint for everything that does not fit.
  void check(const json::value& v, const std::string& pointer, body_errors& errors) const;

  // JSON Schema (draft 2020-12), as OpenAPI 3.1 uses it.
  [[nodiscard]] json::value schema() const;

 private:
  struct node;
  static shape words(std::size_t min_chars, std::size_t max_chars, lines allowed);
  explicit shape(std::shared_ptr<const node> n) : node_(std::move(n)) {}
  std::shared_ptr<const node> node_;
};

struct member {
  std::string name;
  shape value;
  presence when = required;
  std::string description = {};
};

}  // namespace skirmish::http
