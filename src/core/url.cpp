#include "core/url.hpp"

#include <algorithm>

namespace skirmish {

std::optional<url_parts> split_url(std::string_view url) noexcept {
  const auto colon = url.find("://");
  if (colon == std::string_view::npos) return std::nullopt;
  url_parts out;
  out.scheme = url.substr(0, colon);
  const auto rest = url.substr(colon + 3);
  const auto end = std::min(rest.find_first_of("/?"), rest.size());
  out.authority = rest.substr(0, end);
  out.target = rest.substr(end);
  out.hosts = out.authority;
  if (const auto at = out.authority.rfind('@'); at != std::string_view::npos) {
    out.user_info = out.authority.substr(0, at);
    out.hosts = out.authority.substr(at + 1);
  }
  const auto question = std::min(out.target.find('?'), out.target.size());
  out.path = out.target.substr(0, question);
  if (question < out.target.size()) out.query = out.target.substr(question + 1);
  return out;
}

result<host_parts> split_host(std::string_view text) {
  host_parts out;
  if (!text.starts_with('[')) {
    const auto colon = text.find(':');
    out.host = text.substr(0, colon);
    if (colon != std::string_view::npos) out.port = text.substr(colon + 1);
    return out;
  }
  const auto close = text.find(']');
  if (close == std::string_view::npos)
    return error{errc::invalid_argument, "the host's '[' is not closed"};
  out.is_bracketed = true;
  out.host = text.substr(1, close - 1);
  const auto rest = text.substr(close + 1);
  if (rest.empty()) return out;
  if (rest.front() != ':') return error{errc::invalid_argument, "no port follows the host's ']'"};
  out.port = rest.substr(1);
  return out;
}

}  // namespace skirmish
