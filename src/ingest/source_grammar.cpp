#include "ingest/source_grammar.hpp"

#include "core/parse.hpp"

namespace skirmish::ingest {
namespace {

std::optional<std::chrono::milliseconds> eat_time(cursor& line) {
  const auto hour = line.digits(2);
  if (!hour || !line.eat(":")) return std::nullopt;
  const auto minute = line.digits(2);
  if (!minute || !line.eat(":")) return std::nullopt;
  const auto second = line.digits(2);
  if (!second || *hour > 23 || *minute > 59 || *second > 59) return std::nullopt;
  int millis = 0;
  if (line.eat(".")) {
    const auto fraction = line.digits(3);
    if (!fraction) return std::nullopt;
    millis = *fraction;
  }
  return std::chrono::hours{*hour} + std::chrono::minutes{*minute} + std::chrono::seconds{*second} +
         std::chrono::milliseconds{millis};
}

// What stands between '<' and '>' at the cursor.
std::optional<std::string_view> eat_bracket(cursor& line) {
  if (!line.eat("<")) return std::nullopt;
  const auto end = line.rest().find_first_of("<>\"");
  if (end == std::string_view::npos || line.rest()[end] != '>') return std::nullopt;
  return line.until(">");
}

// `<userid><id><team>"` or `<userid><id>"`
std::optional<source_player> eat_player_tail(cursor& line) {
  cursor at = line;
  if (!at.eat("<") || !at.integer() || !at.eat(">")) return std::nullopt;
  source_player who;
  const auto id = eat_bracket(at);
  if (!id) return std::nullopt;
  who.id = *id;
  if (!at.eat("\"")) {
    const auto team = eat_bracket(at);
    if (!team || !at.eat("\"")) return std::nullopt;
    who.team = *team;
  }
  line = at;
  return who;
}

// `x y z`
std::optional<world_position> eat_coordinates(cursor& line) {
  const auto x = line.decimal();
  if (!x || !line.eat(" ")) return std::nullopt;
  const auto y = line.decimal();
  if (!y || !line.eat(" ")) return std::nullopt;
  const auto z = line.decimal();
  if (!z) return std::nullopt;
  return world_position{*x, *y, *z};
}

bool read(std::string_view text, std::optional<world_position>& out) {
  cursor c(text);
  out = eat_coordinates(c);
  return out && c.done();
}

// A number that no game exceeds; hp and damage together stay far below the limit of a player's hp.
constexpr int amount_limit = 99'999'999;

bool read(std::string_view text, int minimum, std::optional<int>& out) {
  const auto number = parse_integer(text);
  if (!number || *number < minimum || *number > amount_limit) return false;
  out = static_cast<int>(*number);
  return true;
}

bool set_property(source_properties& p, std::string_view key, std::string_view value) {
  if (key == "damage") return read(value, 0, p.damage);
  if (key == "health") return read(value, -amount_limit, p.health);
  if (key == "attacker_position") return read(value, p.attacker_position);
  if (key == "victim_position") return read(value, p.victim_position);
  return true;
}

}  // namespace

std::optional<source_line> read_source_line(std::string_view line) {
  using namespace std::chrono;
  cursor at(line);
  at.eat("L ");
  const auto month_number = at.digits(2);
  if (!month_number || !at.eat("/")) return std::nullopt;
  const auto day_number = at.digits(2);
  if (!day_number || !at.eat("/")) return std::nullopt;
  const auto year_number = at.digits(4);
  if (!year_number || *year_number == 0 || !at.eat(" - ")) return std::nullopt;
  const year_month_day date{year{*year_number}, month{static_cast<unsigned>(*month_number)},
                            day{static_cast<unsigned>(*day_number)}};
  const auto time = eat_time(at);
  if (!date.ok() || !time || !(at.eat(":") || at.eat(" -"))) return std::nullopt;
  // An empty body has lost its space with the end of the line.
  if (!at.done() && !at.eat(" ")) return std::nullopt;
  return source_line{sys_days{date} + *time, at.rest()};
}

std::string source_player::player_id() const {
  return id == "BOT" ? to_id(name, "bot:") : to_id(id);
}

bool source_player::is_player() const noexcept {
  return !id.empty() && id != "Console" && id != "STEAM_ID_PENDING";
}

std::optional<source_player> eat_player(cursor& line) {
  cursor at = line;
  if (!at.eat("\"")) return std::nullopt;
  const auto text = at.rest();
  for (auto bracket = text.find('<'); bracket != std::string_view::npos;
       bracket = text.find('<', bracket + 1)) {
    cursor tail(text.substr(bracket));
    if (auto who = eat_player_tail(tail)) {
      who->name = text.substr(0, bracket);
      line = tail;
      return who;
    }
  }
  return std::nullopt;
}

std::optional<world_position> eat_position(cursor& line) {
  cursor at = line;
  if (!at.eat(" [")) return std::nullopt;
  const auto place = eat_coordinates(at);
  if (!place || !at.eat("]")) return std::nullopt;
  line = at;
  return place;
}

std::optional<source_properties> eat_properties(cursor& line) {
  source_properties properties;
  while (line.eat(" (")) {
    const auto text = line.rest();
    const auto close = text.find(')');
    if (close == std::string_view::npos) return std::nullopt;
    if (text.substr(0, close).find('"') == std::string_view::npos) {
      line.until(")");
      continue;
    }
    const auto key = line.until(" \"");
    if (!key) return std::nullopt;
    const auto value = line.until("\")");
    if (!value || !set_property(properties, *key, *value)) return std::nullopt;
  }
  if (!line.done()) return std::nullopt;
  return properties;
}

}  // namespace skirmish::ingest
