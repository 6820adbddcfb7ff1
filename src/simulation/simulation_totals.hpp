// What the API says of the players and levels of a simulation.
#pragma once

#include "api_client/api_client.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace skirmish::cli {

struct world_totals {
  std::int64_t completions = 0;    // of the levels
  std::int64_t levels_gained = 0;  // and these by the players
  std::int64_t score = 0;          // on the board `global`
  std::int64_t interactions = 0;   // on the board `active`
  std::int64_t damage = 0;
  std::int64_t items = 0;
  std::int64_t achievements = 0;
};

// The body of an answer that must be 200; throws failure{unavailable} otherwise.
awaitable<json::object> get_object(http_client& http, std::string target);

// Sums over `players`, and over the levels whose ids start with `level_prefix`.
awaitable<world_totals> read_world(http_client& http, std::vector<std::string> players,
                                   std::string level_prefix);

}  // namespace skirmish::cli
