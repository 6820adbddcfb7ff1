#include "skirmish/tasks/values.hpp"

#include "core/base64.hpp"
#include "tasks/protocol/json_text.hpp"
#include "tasks/protocol/wall_time.hpp"

#include <algorithm>
#include <cstdlib>

namespace skirmish::tasks {
namespace {

struct tagged {
  std::string_view type;
  const json& value;
};

// As kombu writes it: an object with exactly these two members.
std::optional<tagged> read_tag(const json& v) {
  const auto* o = v.if_object();
  if (o == nullptr || o->size() != 2) return std::nullopt;
  const auto type = text_at(*o, "__type__");
  const auto* value = o->if_contains("__value__");
  if (type.empty() || value == nullptr) return std::nullopt;
  return tagged{type, *value};
}

// 32 hex digits become the usual five groups.
json uuid_text(const json& value) {
  const auto* o = value.if_object();
  if (o == nullptr) return value;
  std::string hex(text_at(*o, "hex"));
  if (hex.size() != 32) return value;
  for (const std::size_t at : {20, 16, 12, 8}) hex.insert(at, 1, '-');
  return json(hex);
}

}  // namespace

std::optional<std::string_view> big_integer(const json& v) noexcept {
  const auto* o = v.if_object();
  if (o == nullptr || o->size() != 1 || o->begin()->key() != big_integer_key ||
      !o->begin()->value().is_string())
    return std::nullopt;
  const std::string_view text = o->begin()->value().get_string();
  const auto digits = text.substr(text.starts_with('-') ? 1 : 0);
  const bool is_number = !digits.empty() && (digits[0] != '0' || digits.size() == 1) &&
                         digits.find_first_not_of("0123456789") == std::string_view::npos;
  return is_number ? std::optional(text) : std::nullopt;
}

json plain_value(const json& v) {
  const auto tag = read_tag(v);
  if (!tag) return v;
  if (tag->type == "uuid") return uuid_text(tag->value);
  if (tag->type == "base64" && tag->value.is_string()) {
    std::string bytes;
    return decode_base64(tag->value.get_string(), bytes) ? json(bytes) : v;
  }
  constexpr std::string_view as_text[] = {"datetime", "date", "time", "decimal", "bytes"};
  return std::ranges::count(as_text, tag->type) > 0 ? tag->value : v;
}

std::optional<time_point> as_time(const json& v) {
  const auto plain = plain_value(v);
  if (!plain.is_string()) return std::nullopt;
  return parse_iso(plain.get_string());
}

std::optional<double> as_number(const json& v) {
  if (v.is_number()) return v.to_number<double>();
  if (const auto digits = big_integer(v)) return std::strtod(std::string(*digits).c_str(), nullptr);
  const auto tag = read_tag(v);
  if (!tag || tag->type != "decimal" || !tag->value.is_string()) return std::nullopt;
  const std::string text(tag->value.get_string());
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  return text.empty() || *end != '\0' ? std::nullopt : std::optional(number);
}

}  // namespace skirmish::tasks
