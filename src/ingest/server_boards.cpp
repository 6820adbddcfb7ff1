#include "ingest/server_boards.hpp"

#include "core/ids.hpp"
#include "ingest/text.hpp"

#include <fmt/format.h>

namespace skirmish::ingest {

bool is_server_name(std::string_view name) noexcept {
  return name.size() <= server_name_max_bytes && is_valid_id(name) &&
         name.find(':') == std::string_view::npos;
}

std::string server_board(std::string_view server, std::string_view board) {
  return fmt::format("server:{}:{}", server, board);
}

std::string weapon_board(std::string_view weapon) { return to_id(weapon, "weapon:"); }

std::string map_board(std::string_view map) { return to_id(map, "map:"); }

}  // namespace skirmish::ingest
