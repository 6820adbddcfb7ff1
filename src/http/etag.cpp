#include "http/etag.hpp"

#include "core/parse.hpp"

namespace skirmish::http {

std::string etag_of(std::int64_t version) { return "\"" + std::to_string(version) + "\""; }

result<std::optional<std::int64_t>> parse_if_match(std::string_view header) {
  if (header.empty() || header == "*") return std::optional<std::int64_t>{};
  const bool quoted = header.size() > 2 && header.front() == '"' && header.back() == '"';
  const auto version = quoted ? parse_integer(header.substr(1, header.size() - 2)) : std::nullopt;
  if (!version)
    return error{errc::invalid_argument, "If-Match must be an ETag that this resource gave"};
  return version;
}

}  // namespace skirmish::http
