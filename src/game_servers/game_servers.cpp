#include "game_servers/game_servers.hpp"

#include "http/router.hpp"

namespace skirmish::game_servers {

std::string key_in_query(const http::request& r) {
  if (r.path != log_path || r.method != http::verb::post) return {};
  const auto query = http::parse_query(r.query);
  if (!query) return {};  // refused by the router
  for (const auto& [name, value] : *query)
    if (name == "key") return value;
  return {};
}

}  // namespace skirmish::game_servers
