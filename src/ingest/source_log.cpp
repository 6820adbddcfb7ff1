#include "ingest/source_log.hpp"

#include "ingest/source_grammar.hpp"

#include <algorithm>
#include <array>

namespace skirmish::ingest {
namespace {

// Beginnings of lines that say nothing about players.
constexpr std::array<std::string_view, 26> silent_lines{"Team ",
                                                        "Starting Freeze period",
                                                        "Molotov projectile spawned",
                                                        "Log file ",
                                                        "server cvar",
                                                        "server_cvar: ",
                                                        "server_message: ",
                                                        "Server shutdown",
                                                        "rcon from ",
                                                        "Rcon: ",
                                                        "Bad Rcon: ",
                                                        "STEAMAUTH: ",
                                                        "Addip: ",
                                                        "Banid: ",
                                                        "Kick: ",
                                                        "Kickid: ",
                                                        "Server say \"",
                                                        "MatchStatus: ",
                                                        "ACCOLADE, ",
                                                        "JSON_BEGIN{",
                                                        "JSON_END}",
                                                        "Match pause is ",
                                                        "Match unpaused",
                                                        "[META] ",
                                                        "[SM] ",
                                                        "-------- Mapchange to "};

// What a player does that the world does not hold, without the space before it.
constexpr std::array<std::string_view, 24> silent_verbs{"money change ",
                                                        "triggered \"",
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
                                                        "spawned as \"",
                                                        "left buyzone with ",
                                                        "begin_buyzone",
                                                        "tell ",
                                                        "requested map ",
                                                        "called vote \"",
                                                        "has been banned"};

// The text of a chat line up to its last quote; older games write (dead) behind it.
std::optional<std::string_view> chat_text(std::string_view text) {
  constexpr std::string_view dead = "\" (dead)";
  if (text.ends_with(dead)) return text.substr(0, text.size() - dead.size());
  if (!text.ends_with('"')) return std::nullopt;
  return text.substr(0, text.size() - 1);
}

class source_parser final : public log_parser {
 public:
  explicit source_parser(geo_origin origin) : log_parser(origin) {}

 private:
  // A player's line behind `"player" [position] `.
  struct action {
    source_player who;
    std::optional<world_position> where;
    cursor rest;
  };

  bool parse(std::string_view text) override;
  bool parse_world(cursor line);
  bool parse_game_over(cursor line);
  bool parse_player(cursor line);
  bool parse_attack(action& a);
  bool parse_kill(action& a);
  bool parse_item(action& a, int quantity);
  bool parse_chat(action& a, bool team);
  bool parse_silent(const action& a);
  void move(recorder::player who, const std::optional<world_position>& to);

  // Nothing when this is no player, or one too many.
  std::optional<recorder::player> see(const source_player& who) {
    if (!who.is_player()) return std::nullopt;
    return record().see(who.player_id(), who.name);
  }
};

bool source_parser::parse(std::string_view text) {
  const auto line = read_source_line(text);
  if (!line) return false;
  record().at(line->at.time_since_epoch(), line->at);
  cursor body(line->body);
  if (body.rest().starts_with('"')) return parse_player(body);
  if (body.eat("World triggered \"")) return parse_world(body);
  if (body.eat("Game Over: ")) return parse_game_over(body);
  if (body.eat("Loading map \"") || body.eat("Started map \"")) {
    const auto map = body.until("\"");
    if (map) record().level(*map);
    return map.has_value();
  }
  return body.done() ||
         std::any_of(silent_lines.begin(), silent_lines.end(),
                     [&](std::string_view start) { return body.rest().starts_with(start); });
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
  if (!who) return line.eat("\"") && line.until("\" = \"") && line.rest().ends_with('"');
  action a{*who, eat_position(line), line};
  if (!a.rest.eat(" ")) return false;
  if (a.rest.eat("picked up ")) return parse_item(a, 1);
  if (a.rest.eat("dropped ")) return parse_item(a, -1);
  if (a.rest.eat("purchased ")) return parse_item(a, 1);
  if (a.rest.eat("attacked ")) return parse_attack(a);
  if (a.rest.rest().starts_with("killed \"")) return parse_kill(a);
  if (a.rest.eat("say \"")) return parse_chat(a, false);
  if (a.rest.eat("say_team \"")) return parse_chat(a, true);
  return parse_silent(a);
}

bool source_parser::parse_attack(action& a) {
  const auto target = eat_player(a.rest);
  if (!target) return false;
  const auto target_at = eat_position(a.rest);
  if (!a.rest.eat(" with \"")) return false;
  const auto weapon = a.rest.until("\"");
  if (!weapon) return false;
  const auto properties = eat_properties(a.rest);
  if (!properties || !properties->damage) return false;
  if (!a.who.is_player() || !target->is_player()) return false;
  const auto attacker = see(a.who);
  const auto victim = see(*target);
  if (!attacker || !victim) return false;
  recorder::hit h{*attacker, *victim, *properties->damage, *weapon};
  if (properties->health) h.health_after = std::max(*properties->health, 0);
  record().attack(h);
  move(*attacker, a.where ? a.where : properties->attacker_position);
  move(*victim, target_at ? target_at : properties->victim_position);
  return true;
}

bool source_parser::parse_kill(action& a) {
  a.rest.eat("killed ");
  const auto target = eat_player(a.rest);
  if (!target) return false;
  const auto target_at = eat_position(a.rest);
  if (!a.rest.eat(" with \"") || !a.rest.until("\"")) return false;
  const auto properties = eat_properties(a.rest);
  if (!properties) return false;
  if (!a.who.is_player() || !target->is_player()) return false;
  const auto killer = see(a.who);
  const auto victim = see(*target);
  if (!killer || !victim) return false;
  record().kill(*killer);
  move(*killer, a.where ? a.where : properties->attacker_position);
  move(*victim, target_at ? target_at : properties->victim_position);
  return true;
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
  const auto rest = a.rest.rest();
  const bool known = std::any_of(silent_verbs.begin(), silent_verbs.end(),
                                 [&](std::string_view verb) { return rest.starts_with(verb); });
  return known && (!a.who.is_player() || see(a.who));
}

void source_parser::move(recorder::player who, const std::optional<world_position>& to) {
  if (to) record().move(who, *to);
}

}  // namespace

std::unique_ptr<log_parser> make_source_parser(geo_origin origin) {
  return std::make_unique<source_parser>(origin);
}

}  // namespace skirmish::ingest
