// For the tests of this folder: what a log says, one short line an event.
#pragma once

#include "ingest/ingest.hpp"

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

namespace skirmish::ingest {

struct describe {
  static std::string at(const std::optional<timestamp>& ts) {
    return ts ? " @" + to_rfc3339(*ts) : std::string{};
  }
  std::string operator()(const attack& e) const {
    return fmt::format("attack {} {} {} {} -> {}{}", e.attacker_id, e.target_id, e.damage, e.weapon,
                       e.health_after, at(e.ts));
  }
  std::string operator()(const move& e) const {
    return fmt::format("move {} {:.7f} {:.7f} {:.3f}{}", e.player_id, e.lat, e.lon, e.alt,
                       at(e.ts));
  }
  std::string operator()(const respawn& e) const {
    return fmt::format("respawn {} {}", e.player_id, e.hp);
  }
  std::string operator()(const score& e) const {
    return fmt::format("score {} {} {}{}", e.board, e.player_id,
                       e.keeps_best  ? "best "
                       : e.value < 0 ? ""
                                     : "+",
                       e.value);
  }
  std::string operator()(const item& e) const {
    return fmt::format("item {} {} {:+}", e.player_id, e.item, e.quantity);
  }
  std::string operator()(const completion& e) const {
    return fmt::format("completion {} {} {}", e.level_id, e.player_id, e.score);
  }
  std::string operator()(const chat& e) const {
    return fmt::format("chat {} {} [{}]{}", e.channel, e.from, e.text, at(e.ts));
  }
  std::string operator()(const player_seen& e) const {
    return fmt::format("player {} [{}]", e.player_id, e.name);
  }
  std::string operator()(const level_seen& e) const {
    return fmt::format("level {} [{}]", e.level_id, e.name);
  }
};

// Everything that a log says, and what was counted.
struct reading {
  std::vector<log_event> events;
  totals counted;
  std::vector<std::string> lines;  // the events, described
};

inline reading read_log(format f, std::string_view text, geo_origin origin = {}) {
  const auto parser = make_parser(f, origin);
  reading r;
  while (!text.empty()) text.remove_prefix(parser->feed(text, r.events));
  parser->finish(r.events);
  r.counted = parser->counted();
  for (const auto& e : r.events) r.lines.push_back(std::visit(describe{}, e.what));
  return r;
}

// The same without what introduces players: the facts and each player's first respawn.
inline std::vector<std::string> said(format f, std::string_view text) {
  std::vector<std::string> lines;
  bool introduced = false;
  for (auto& line : read_log(f, text).lines) {
    const bool skip = line.starts_with("player ") || introduced;
    introduced = line.starts_with("player ");
    if (!skip) lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace skirmish::ingest
