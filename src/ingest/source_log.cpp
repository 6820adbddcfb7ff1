#include "ingest/source_log.hpp"

#include "ingest/source_grammar.hpp"

#include <algorithm>
#include <array>
#include <span>

namespace skirmish::ingest {
namespace {

// Beginnings of lines that say nothing about players.
constexpr std::array<std::string_view, 38> silent_lines{"Team ",
                                                        "Starting Freeze period",
                                                        "Molotov projectile spawned",
                                                        "Log file ",
                                                        "server cvar",
                                                        "server_cvar: ",
                                                        "server_message: ",
                                                        "Server ",
                                                        "rcon from ",
                                                        "Rcon: ",
                                                        "Bad Rcon: ",
                                                        "STEAMAUTH: ",
                                                        "Addip: ",
                                                        "Banid: ",
                                                        "Kick: ",
                                                        "Kickid: ",
                                                        "Unbanid: ",
                                                        "Removeid: ",
                                                        "Removeip: ",
                                                        "MatchStatus: ",
                                                        "ACCOLADE, ",
                                                        "JSON_BEGIN{",
                                                        "JSON_END",
                                                        "}",
                                                        "Match pause is ",
                                                        "Match unpaused",
                                                        "-------- Mapchange to ",
                                                        "Started: ",
                                                        "Vote ",
                                                        "Your server ",
                                                        "Client \"",
                                                        "Dropped ",
                                                        "//",
                                                        "Lobby ",
                                                        "Logging ",
                                                        "get5_event: ",
                                                        "Gamerules: ",
                                                        "Session "};

// What a player does that the world does not hold, without the space before it.
constexpr std::array<std::string_view, 33> silent_verbs{"money change ",
                                                        "triggered ",
                                                        "threw ",
                                                        "blinded for ",
                                                        "assisted killing ",
                                                        "flash-assisted killing ",
                                                        "switched from team <",
                                                        "joined team \"",
                                                        "killed other \"",
                                                        "committed suicide with ",
                                                        "was killed by the bomb.",
                                                        "connected",
                                                        "disconnected",
                                                        "entered the game",
                                                        "STEAM USERID validated",
                                                        "changed name to \"",
                                                        "changed role to \"",
                                                        "changed class to \"",
                                                        "selected class \"",
                                                        "joined class \"",
                                                        "left buyzone with ",
                                                        "begin_buyzone",
                                                        "tell ",
                                                        "requested map ",
                                                        "requested \"",
                                                        "called vote \"",
                                                        "has been banned",
                                                        "was banned",
                                                        "was kicked",
                                                        "is stuck ",
                                                        "stuck ",
                                                        "incapacitated \"",
                                                        "cast vote "};

bool starts_with_any(std::string_view text, std::span<const std::string_view> beginnings) {
  return std::any_of(beginnings.begin(), beginnings.end(),
                     [&](std::string_view start) { return text.starts_with(start); });
}

// `(DEATH)`, `[TTT] `: a word in brackets that a game or a plugin writes before what it says.
bool eat_prefix(cursor& line) {
  constexpr std::string_view word_characters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.: ";
  constexpr std::size_t prefix_limit_bytes = 40;
  cursor at = line;
  const auto close = at.eat("(") ? std::string_view(")") : std::string_view("]");
  if (close == "]" && !at.eat("[")) return false;
  const auto word = at.until(close);
  if (!word || word->empty() || word->size() > prefix_limit_bytes ||
      word->find_first_not_of(word_characters) != std::string_view::npos)
    return false;
  at.eat_spaces();
  line = at;
  return true;
}

// `"name": "round_stats",` and `"players" : {`: a line of a JSON block.
bool is_json_member(cursor line) {
  if (!line.eat("\"") || !line.until("\"")) return false;
  line.eat_spaces();
  if (!line.eat(":")) return false;
  line.eat_spaces();
  return line.eat("\"") || line.eat("{");
}

// The text of a chat line up to its last quote; games write (dead), (position "1 2 3") and the like
// behind it.
std::optional<std::string_view> chat_text(std::string_view text) {
  if (text.ends_with(')')) {
    const auto quote = text.rfind("\" (");
    // The quote that ends the text is before the first of them, not within one.
    if (quote != std::string_view::npos) return text.substr(0, quote);
  }
  if (!text.ends_with('"')) return std::nullopt;
  return text.substr(0, text.size() - 1);
}

class source_parser final : public log_parser {
 public:
  explicit source_parser(parser_options options) : log_parser(std::move(options)) {}
  [[nodiscard]] std::unique_ptr<log_parser> clone() const override {
    return std::make_unique<source_parser>(*this);
  }

 private:
  // A player's line behind `"player" [position] `.
  struct action {
    source_player who;
    std::optional<world_position> where;
    cursor rest;
  };

  bool parse(std::string_view text) override;
  bool parse_body(cursor body);
  bool parse_map(cursor line);
  bool parse_world(cursor line);
  bool parse_game_over(cursor line);
  bool parse_player(cursor line);
  bool parse_attack(action& a);
  bool parse_damage(action& a);
  bool parse_kill(action& a);
  bool parse_spawn(const action& a);
  bool attack(const action& a, const source_player& target, const source_properties& properties,
              std::string_view weapon, const std::optional<world_position>& target_at);
  bool parse_item(action& a, int quantity);
  bool parse_chat(action& a, bool team);
  bool parse_silent(const action& a);
  std::optional<world_position> eat_place(cursor& line);
  std::string_view eat_weapon(cursor& line);
  source_properties properties_of(cursor& line);
  void move(recorder::player who, const std::optional<world_position>& to);

  // Nothing when this is no player, or one too many.
  std::optional<recorder::player> see(const source_player& who) {
    if (!who.is_player()) return std::nullopt;
    return record().see(who.player_id(), who.name);
  }

  bool in_json_ = false;  // between JSON_BEGIN and JSON_END
  bool in_part_ = false;  // something in the line under way was skipped
};

bool source_parser::parse(std::string_view text) {
  const auto line = read_source_line(text);
  if (!line) return false;
  record().at(line->at.time_since_epoch(), line->at);
  in_part_ = false;
  const bool known = parse_body(cursor(line->body));
  if (known && in_part_) record().count_line_in_part();
  return known;
}

bool source_parser::parse_body(cursor body) {
  // A block that was cut off ends with the first line that is none of its own.
  in_json_ = body.rest().starts_with("JSON_BEGIN{") || (in_json_ && is_json_member(body));
  if (in_json_) return true;
  if (body.rest().starts_with('"')) return parse_player(body);
  if (body.eat("World triggered \"")) return parse_world(body);
  if (body.eat("Game Over: ")) return parse_game_over(body);
  if (body.eat("Loading map \"") || body.eat("Started map \"")) return parse_map(body);
  if (body.done() || starts_with_any(body.rest(), silent_lines)) return true;
  if (!eat_prefix(body)) return false;
  in_part_ = body.rest().starts_with('"');
  // What else a plugin says in its brackets is its own.
  return !in_part_ || parse_player(body);
}

bool source_parser::parse_map(cursor line) {
  const auto map = line.until("\"");
  if (map) record().level(*map);
  return map.has_value();
}

bool source_parser::parse_world(cursor line) {
  const auto what = line.until("\"");
  if (!what) return false;
  if (line.eat(" on \"")) {
    const auto map = line.until("\"");
    if (!map) return false;
    record().level(*map);
  }
  if (*what == "Round_Start") record().respawn_all();
  if (*what == "Game_Over") record().complete_all();
  return true;
}

// `competitive mg_de_cache de_cache score 16:1 after 21 min`: the map is the word before the score.
bool source_parser::parse_game_over(cursor line) {
  const auto words = line.until(" score ");
  if (!words) return false;
  const auto space = words->rfind(' ');
  const auto map = space == std::string_view::npos ? *words : words->substr(space + 1);
  if (map.empty()) return false;
  record().level(map);
  record().complete_all();
  return true;
}

bool source_parser::parse_player(cursor line) {
  const auto who = eat_player(line);
  // `"mp_freezetime" = "15"` is a setting.
  if (!who) {
    if (is_json_member(line)) return true;
    return line.eat("\"") && line.until("\" = \"") && line.rest().ends_with('"');
  }
  action a{*who, eat_place(line), line};
  if (!a.rest.eat(" ")) return false;
  if (a.rest.eat("picked up ")) return parse_item(a, 1);
  if (a.rest.eat("dropped ")) return parse_item(a, -1);
  if (a.rest.eat("purchased ")) return parse_item(a, 1);
  if (a.rest.eat("attacked ")) return parse_attack(a);
  if (a.rest.eat("triggered \"damage\" against ")) return parse_damage(a);
  if (a.rest.rest().starts_with("killed \"")) return parse_kill(a);
  if (a.rest.rest().starts_with("spawned as \"")) return parse_spawn(a);
  if (a.rest.eat("say \"")) return parse_chat(a, false);
  if (a.rest.eat("say_team \"")) return parse_chat(a, true);
  return parse_silent(a);
}

std::optional<world_position> source_parser::eat_place(cursor& line) {
  auto place = eat_position(line);
  if (!place && eat_broken_position(line)) in_part_ = true;
  return place;
}

// ` with "ak47"`; what precedes it is skipped, and so is a weapon without an end.
std::string_view source_parser::eat_weapon(cursor& line) {
  constexpr std::string_view with = " with \"";
  if (line.done()) return {};
  if (!line.eat(with)) {
    in_part_ = true;
    cursor later = line;
    if (!later.until(with)) return {};
    line = later;
  }
  if (const auto weapon = line.until("\"")) return *weapon;
  in_part_ = true;
  line = cursor({});
  return {};
}

source_properties source_parser::properties_of(cursor& line) {
  auto properties = read_properties(line);
  in_part_ = in_part_ || properties.ignored;
  return properties;
}

bool source_parser::attack(const action& a, const source_player& target,
                           const source_properties& properties, std::string_view weapon,
                           const std::optional<world_position>& target_at) {
  if (!properties.damage || !a.who.is_player() || !target.is_player()) return false;
  const auto attacker = see(a.who);
  const auto victim = see(target);
  if (!attacker || !victim) return false;
  recorder::hit h{*attacker, *victim, *properties.damage, weapon};
  if (properties.health) h.health_after = std::max(*properties.health, 0);
  record().attack(h);
  move(*attacker, a.where ? a.where : properties.attacker_position);
  move(*victim, target_at ? target_at : properties.victim_position);
  return true;
}

bool source_parser::parse_attack(action& a) {
  const auto target = eat_player(a.rest);
  if (!target) return false;
  const auto target_at = eat_place(a.rest);
  const auto weapon = eat_weapon(a.rest);
  return attack(a, *target, properties_of(a.rest), weapon, target_at);
}

// `triggered "damage" against B (damage "58") (weapon "scattergun")`
bool source_parser::parse_damage(action& a) {
  const auto target = eat_player(a.rest);
  if (!target) return false;
  const auto properties = properties_of(a.rest);
  return attack(a, *target, properties, properties.weapon.value_or(std::string_view{}),
                std::nullopt);
}

bool source_parser::parse_kill(action& a) {
  a.rest.eat("killed ");
  const auto target = eat_player(a.rest);
  if (!target) return false;
  const auto target_at = eat_place(a.rest);
  const auto weapon = eat_weapon(a.rest);
  const auto properties = properties_of(a.rest);
  if (a.who.id == "Console" || !target->is_player()) return false;
  const auto killer = see(a.who);
  if (a.who.is_player() && !killer) return false;
  const auto victim = see(*target);
  if (!victim) return false;
  if (killer) {
    record().kill({*killer, *victim, weapon, properties.is_headshot});
    move(*killer, a.where ? a.where : properties.attacker_position);
  } else {
    record().death(*victim);
  }
  move(*victim, target_at ? target_at : properties.victim_position);
  return true;
}

bool source_parser::parse_spawn(const action& a) {
  const auto who = see(a.who);
  if (who) record().respawn(*who, recorder::full_hp);
  return who.has_value();
}

bool source_parser::parse_item(action& a, int quantity) {
  // Team Fortress 2 writes `picked up item "medkit_small"`.
  a.rest.eat("item ");
  if (!a.rest.eat("\"")) return false;
  const auto name = a.rest.until("\"");
  if (!name || name->empty()) return false;
  const auto who = see(a.who);
  if (!who) return false;
  record().item(*who, *name, quantity);
  return true;
}

bool source_parser::parse_chat(action& a, bool team) {
  const auto text = chat_text(a.rest.rest());
  if (!text) return false;
  if (a.who.is_player() && !see(a.who)) return false;
  const auto side = a.who.team.empty() ? std::string_view("none") : a.who.team;
  record().chat(team ? to_id(side, "team:") : "general", a.who.player_id(), *text);
  return true;
}

bool source_parser::parse_silent(const action& a) {
  if (!starts_with_any(a.rest.rest(), silent_verbs)) return false;
  if (!a.who.is_player() || a.who.is_pending()) return true;
  const auto who = see(a.who);
  if (!who) return false;
  const auto verb = a.rest.rest();
  if (verb.starts_with("committed suicide with ") || verb.starts_with("was killed by the bomb."))
    record().death(*who);
  if (verb.starts_with("entered the game")) record().joined(*who);
  if (verb.starts_with("disconnected")) record().left(a.who.player_id());
  return true;
}

void source_parser::move(recorder::player who, const std::optional<world_position>& to) {
  if (to) record().move(who, *to);
}

}  // namespace

std::unique_ptr<log_parser> make_source_parser(parser_options options) {
  return std::make_unique<source_parser>(std::move(options));
}

}  // namespace skirmish::ingest
