#include "ingest/source_grammar.hpp"

#include "core/ids.hpp"
#include "core/parse.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

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

// Left 4 Dead 2 writes five.
constexpr int more_brackets_limit = 16;

// `<userid><id><team>"` or `<userid><id>"`, and what stands between the team and the quote.
std::optional<source_player> eat_player_tail(cursor& line) {
  cursor at = line;
  if (!at.eat("<") || !at.integer() || !at.eat(">")) return std::nullopt;
  source_player who;
  const auto id = eat_bracket(at);
  if (!id) return std::nullopt;
  who.id = *id;
  if (const auto team = eat_bracket(at)) who.team = *team;
  for (int n = 0; n < more_brackets_limit && eat_bracket(at); ++n) {
  }
  if (!at.eat("\"")) return std::nullopt;
  line = at;
  return who;
}

bool is_digit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }

// False for every id that an engine gives to many: words (`BOT`, `STEAM_ID_LAN`, `UNKNOWN`, `HLTV`,
// ...), which hold no digit, and account number 0 in each of its forms.
bool identifies(std::string_view id) {
  // An anonymous account's number, what programs that stand in for Steam write, account 0.
  static constexpr std::array<std::string_view, 4> shared{"4294967295", "-1", "STEAM_666:88:666",
                                                          "76561197960265728"};
  if (std::find(shared.begin(), shared.end(), id) != shared.end()) return false;
  // What precedes the account's number is the universe: `STEAM_1:`, `[U:1:`.
  const auto universe = id.starts_with('[') ? id.rfind(':') : id.find(':');
  const auto account = universe == std::string_view::npos ? id : id.substr(universe + 1);
  return std::any_of(account.begin(), account.end(),
                     [](char c) { return is_digit(c) && c != '0'; });
}

// True for the forms of ids and the words that engines write; a word of a player's name is none.
bool is_engine_id(std::string_view id) {
  static constexpr std::array<std::string_view, 5> words{"", "BOT", "HLTV", "UNKNOWN", "Console"};
  if (std::find(words.begin(), words.end(), id) != words.end()) return true;
  if (id.starts_with("STEAM_") || id.starts_with("VALVE_")) return true;
  if (id.starts_with('[')) return id.ends_with(']');
  return std::all_of(id.begin(), id.end(), is_digit);
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
  if (key == "weapon") p.weapon = value;
  if (key == "customkill" && value == "headshot") p.is_headshot = true;
  return true;
}

// What a player's text always holds, so that a part of it is not taken for the whole.
bool has_team_and_id(const source_player& who) {
  return who.team.data() != nullptr && is_engine_id(who.id);
}

// ` (key "value")` or ` (flag)` behind its ` (`. False when it is neither, or the value malformed.
bool eat_property(cursor& line, source_properties& properties) {
  const auto text = line.rest();
  const auto close = text.find(')');
  if (close == std::string_view::npos) return false;
  const auto flags = text.substr(0, close);
  if (flags.find('"') == std::string_view::npos) {
    if (flags.find("headshot") != std::string_view::npos) properties.is_headshot = true;
    line.until(")");
    return true;
  }
  const auto key = line.until(" \"");
  if (!key) return false;
  const auto value = line.until("\")");
  return value && set_property(properties, *key, *value);
}

}  // namespace

std::optional<source_line> read_source_line(std::string_view line) {
  using namespace std::chrono;
  cursor at(line);
  at.eat("\xFF\xFF\xFF\xFF");
  if (!at.eat("log ")) at.eat("R");
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
  if (id != "Console" && !identifies(id)) return to_id(name, id == "BOT" ? "bot:" : "name:");
  if (id.starts_with('[') && id.ends_with(']')) {
    const auto inner = id.substr(1, id.size() - 2);
    if (is_valid_id(inner) && inner.size() + 2 <= id_max_bytes) return fmt::format("_{}_", inner);
  }
  return to_id(id);
}

bool source_player::is_player() const noexcept {
  if (id == "Console") return false;
  return !id.empty() ||
         !(name.empty() || name == "World" || name == "world" || name == "worldspawn");
}

bool source_player::is_pending() const noexcept { return id.ends_with("_ID_PENDING"); }

std::optional<source_player> eat_player(cursor& line) {
  cursor at = line;
  if (!at.eat("\"")) return std::nullopt;
  const auto text = at.rest();
  std::optional<source_player> found;
  cursor end({});
  for (auto bracket = text.find('<'); bracket != std::string_view::npos;
       bracket = text.find('<', bracket + 1)) {
    cursor tail(text.substr(bracket));
    if (found && tail.rest().size() <= end.rest().size()) break;
    auto who = eat_player_tail(tail);
    if (!who) continue;
    if (found && (tail.rest().size() != end.rest().size() || !has_team_and_id(*who))) continue;
    who->name = text.substr(0, bracket);
    found = who;
    end = tail;
  }
  if (found) line = end;
  return found;
}

std::optional<world_position> eat_position(cursor& line) {
  cursor at = line;
  if (!at.eat(" [")) return std::nullopt;
  const auto place = eat_coordinates(at);
  if (!place || !at.eat("]")) return std::nullopt;
  line = at;
  return place;
}

bool eat_broken_position(cursor& line) {
  cursor at = line;
  if (!at.eat(" [") || !at.until("]")) return false;
  line = at;
  return true;
}

source_properties read_properties(cursor& line) {
  source_properties properties;
  while (!line.done()) {
    if (line.eat(" (") && eat_property(line, properties)) continue;
    properties.ignored = true;
    const auto next = line.rest().find(" (");
    line = cursor(next == std::string_view::npos ? std::string_view{} : line.rest().substr(next));
  }
  return properties;
}

}  // namespace skirmish::ingest
