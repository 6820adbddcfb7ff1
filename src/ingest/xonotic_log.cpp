#include "ingest/xonotic_log.hpp"

#include "core/parse.hpp"
#include "ingest/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <unordered_map>

namespace skirmish::ingest {
namespace {

using namespace std::string_view_literals;

constexpr std::array silent_words{
    "gameinfo"sv,   "gameover"sv,      "end"sv,      "scores"sv,       "labels"sv,
    "teamscores"sv, "team"sv,          "connect"sv,  "disconnect"sv,   "vote"sv,
    "ctf"sv,        "dom"sv,           "keyhunt"sv,  "nexball"sv,      "recordset"sv,
    "logversion"sv, "restart"sv,       "spectate"sv, "anticheat"sv,    "playerinfo"sv,
    "playerid"sv,   "lms"sv,           "cts"sv,      "race"sv,         "rune"sv,
    "onslaught"sv,  "assault"sv,       "warmup"sv,   "suddendeath"sv,  "startdelay_ended"sv,
    "overtime"sv,   "chat_minigame"sv, "tell"sv,     "captimelimit"sv, "invasion"sv};

// More than a server gives numbers to in a month.
constexpr std::size_t numbers_limit = 100'000;

// `2024-05-01 20:15:00`, with what else stands behind it.
std::optional<timestamp> read_time(cursor text) {
  using namespace std::chrono;
  const auto year_number = text.digits(4);
  if (!year_number || !text.eat("-")) return std::nullopt;
  const auto month_number = text.digits(2);
  if (!month_number || !text.eat("-")) return std::nullopt;
  const auto day_number = text.digits(2);
  if (!day_number || !text.eat(" ")) return std::nullopt;
  const auto hour = text.digits(2);
  if (!hour || !text.eat(":")) return std::nullopt;
  const auto minute = text.digits(2);
  if (!minute || !text.eat(":")) return std::nullopt;
  const auto second = text.digits(2);
  const year_month_day date{year{*year_number}, month{static_cast<unsigned>(*month_number)},
                            day{static_cast<unsigned>(*day_number)}};
  if (!second || *year_number == 0 || !date.ok() || *hour > 23 || *minute > 59 || *second > 59)
    return std::nullopt;
  return sys_days{date} + hours{*hour} + minutes{*minute} + seconds{*second};
}

// The address in `:join:1:1:ADDRESS:NAME`. One of IPv6 holds colons itself.
void skip_address(cursor& line) {
  constexpr int groups_limit = 8;
  const auto is_hex = [](char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; };
  for (int n = 0; n < groups_limit; ++n) {
    cursor at = line;
    const auto group = at.until(":");
    if (!group) return;
    const bool is_v6 = group->size() <= 4 && std::all_of(group->begin(), group->end(), is_hex);
    if (n > 0 && !is_v6) return;
    line = at;
    if (!is_v6) return;  // `bot`, or one of IPv4
  }
}

std::string side(std::string_view team) {
  if (team == "5") return "red";
  if (team == "14") return "blue";
  if (team == "13") return "yellow";
  if (team == "10") return "pink";
  return std::string(team);
}

class xonotic_parser final : public log_parser {
 public:
  explicit xonotic_parser(parser_options options) : log_parser(std::move(options)) {}
  [[nodiscard]] std::unique_ptr<log_parser> clone() const override {
    return std::make_unique<xonotic_parser>(*this);
  }

 private:
  using player = recorder::player;

  bool parse(std::string_view text) override;
  bool parse_time(cursor line);
  bool parse_start(cursor line);
  bool parse_name(cursor line, bool joins);
  bool parse_leave(cursor line);
  bool parse_kill(cursor line);
  bool parse_chat(cursor line, std::string_view word);
  bool parse_score(cursor line);
  bool name(int number, std::string_view text);

  // The player whose number stands at the cursor; passes it and the colon.
  std::optional<player> eat_player(cursor& line);

  std::unordered_map<int, std::string> names_;
};

bool xonotic_parser::parse(std::string_view text) {
  cursor line(text);
  // What DarkPlaces writes before a console line when told to.
  if (line.eat("[")) {
    if (!line.until("] ")) return false;
  }
  if (!line.eat(":")) return false;
  const auto colon = line.rest().find(':');
  const auto word = line.rest().substr(0, colon);
  cursor fields(colon == std::string_view::npos ? std::string_view{}
                                                : line.rest().substr(colon + 1));
  if (word == "time") return parse_time(fields);
  if (word == "gamestart") return parse_start(fields);
  if (word == "join") return parse_name(fields, true);
  if (word == "name") return parse_name(fields, false);
  if (word == "part") return parse_leave(fields);
  if (word == "kill") return parse_kill(fields);
  if (word == "chat" || word == "chat_spec" || word == "chat_team") return parse_chat(fields, word);
  if (word == "player") return parse_score(fields);
  return std::find(silent_words.begin(), silent_words.end(), word) != silent_words.end();
}

bool xonotic_parser::parse_time(cursor line) {
  const auto at = read_time(line);
  if (at) record().at(at->time_since_epoch(), at);
  return at.has_value();
}

bool xonotic_parser::parse_start(cursor line) {
  const auto text = line.rest();
  auto game = text.substr(0, text.find(':'));
  const auto underscore = game.find('_');
  if (underscore == std::string_view::npos) return false;
  record().level(game.substr(underscore + 1));
  return true;
}

// `1:1:127.0.0.1:Ann` and `1:Ann`
bool xonotic_parser::parse_name(cursor line, bool joins) {
  const auto number = line.natural();
  if (!number || !line.eat(":")) return false;
  if (joins) {
    if (!line.natural() || !line.eat(":")) return false;
    skip_address(line);
  }
  if (!name(*number, line.rest())) return false;
  if (const auto who = record().see(name_to_id(line.rest()), line.rest()); who && joins)
    record().joined(*who);
  return true;
}

bool xonotic_parser::parse_leave(cursor line) {
  const auto number = line.natural();
  const auto found = number ? names_.find(*number) : names_.end();
  if (found != names_.end()) record().left(name_to_id(found->second));
  return true;
}

bool xonotic_parser::name(int number, std::string_view text) {
  if (names_.size() >= numbers_limit && !names_.contains(number)) return false;
  if (!record().see(name_to_id(text), text)) return false;
  names_.insert_or_assign(number, std::string(text));
  return true;
}

std::optional<recorder::player> xonotic_parser::eat_player(cursor& line) {
  const auto number = line.natural();
  if (!number || !(line.eat(":") || line.done())) return std::nullopt;
  const auto found = names_.find(*number);
  if (found == names_.end()) return std::nullopt;
  return record().see(name_to_id(found->second), found->second);
}

bool xonotic_parser::parse_kill(cursor line) {
  const auto kind = line.until(":");
  if (!kind) return false;
  const auto killer = eat_player(line);
  if (!killer) return false;
  const auto victim = eat_player(line);
  if (!victim) return false;
  std::string weapon;
  if (line.eat("type=")) {
    const auto type = line.rest().substr(0, line.rest().find(':'));
    const bool is_number = !type.empty() && std::isdigit(static_cast<unsigned char>(type[0])) != 0;
    weapon = is_number ? fmt::format("type_{}", type) : std::string(type);
  }
  if (weapon.empty()) record().count_line_in_part();
  if (record().hp(*victim) == 0) record().respawn(*victim, recorder::full_hp);
  if (*kind == "accident") {
    record().respawn(*victim, 0);
    record().death(*victim);
    return true;
  }
  record().attack({.attacker = *killer, .target = *victim, .damage = 100, .weapon = weapon});
  if (*kind == "frag" && *killer != *victim)
    record().kill({*killer, *victim, weapon, false});
  else
    record().death(*victim);
  return true;
}

bool xonotic_parser::parse_chat(cursor line, std::string_view word) {
  const auto who = eat_player(line);
  if (!who) return false;
  std::string channel = "general";
  if (word == "chat_spec") channel = "team:spectator";
  if (word == "chat_team") {
    const auto team = line.until(":");
    if (!team) return false;
    channel = to_id(side(*team), "team:");
  }
  record().chat(channel, record().id(*who), line.rest());
  return true;
}

// `see-labels:30,30,10:520:-1:1:Ann`: scores, seconds played, team, number, name. A spectator has
// no score.
bool xonotic_parser::parse_score(cursor line) {
  if (!line.eat("see-labels:")) return false;
  const auto scores = line.until(":");
  if (!scores || !line.until(":")) return false;
  const auto team = line.until(":");
  const auto number = team ? line.natural() : std::nullopt;
  if (!number || !line.eat(":")) return false;
  const auto score = cursor(*scores).integer();
  if (*team == "spectator") return true;
  if (!score || !name(*number, line.rest())) return false;
  const auto who = record().see(name_to_id(line.rest()), line.rest());
  if (who) record().complete(*who, *score);
  return who.has_value();
}

}  // namespace

std::unique_ptr<log_parser> make_xonotic_parser(parser_options options) {
  return std::make_unique<xonotic_parser>(std::move(options));
}

}  // namespace skirmish::ingest
