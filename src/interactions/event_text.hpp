// Events as text, a line each: in the log and in a player's last actions.
#pragma once

#include "interactions/events.hpp"

#include <boost/json/object.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace skirmish::interactions {

std::string_view word(score_operator op);

// to_rfc3339(), which remembers the last time it wrote: most events of a batch share it.
class time_text {
 public:
  // Valid until the next call.
  std::string_view operator()(timestamp t);

 private:
  timestamp last_;
  std::string text_;
};

// Appends the event as one line. Attacks and moves, the many, are short arrays:
//   ["attack",attacker,target,damage,ms since 1970] and, when there is one of them, id and weapon;
//       behind these, when it is known, the game server's name
//   ["move",player,lat,lon,alt,ms since 1970] and, when it is known, the game server's name
// The others are the objects that parse_line() gives.
void append_line(std::string& out, const event& e);

// The event that a line tells of, as docs/api.md has it; nothing when it is no such line.
std::optional<boost::json::object> parse_line(std::string_view line);

}  // namespace skirmish::interactions
