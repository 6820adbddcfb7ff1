#include "http/exchange.hpp"

#include "core/parse.hpp"

#include <algorithm>

namespace skirmish::http {
namespace {

const std::string* find(const fields& all, std::string_view name) {
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const auto& p) { return p.first == name; });
  return found == all.end() ? nullptr : &found->second;
}

}  // namespace

const std::string& exchange::path(std::string_view name) const {
  const auto* value = find(path_parameters, name);
  if (!value) throw std::logic_error("the route has no parameter of that name");
  return *value;
}

std::string_view exchange::query(std::string_view name) const {
  const auto* value = find(query_parameters, name);
  return value ? std::string_view(*value) : std::string_view{};
}

std::int64_t exchange::query_integer(std::string_view name) const {
  return parse_integer(query(name)).value_or(0);
}

bool exchange::has_query(std::string_view name) const {
  return find(query_parameters, name) != nullptr;
}

std::optional<std::string> exchange::text(std::string_view name) const {
  const auto* member = body.is_object() ? body.get_object().if_contains(name) : nullptr;
  if (!member || !member->is_string()) return std::nullopt;
  return std::string(member->get_string());
}

std::optional<std::int64_t> exchange::integer(std::string_view name) const {
  const auto* member = body.is_object() ? body.get_object().if_contains(name) : nullptr;
  if (!member || !member->is_int64()) return std::nullopt;
  return member->get_int64();
}

}  // namespace skirmish::http
