#include "ingest/quake3_log.hpp"

#include "core/parse.hpp"
#include "ingest/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace skirmish::ingest {
namespace {

using namespace std::string_view_literals;

// MAX_GENTITIES of the engine: numbers of clients and of everything else in the world lie below it.
constexpr int entities = 1024;
// ENTITYNUM_WORLD: deaths by falling, lava and the void.
constexpr int world_entity = 1022;
// What the engine calls a killer that is no client.
bool is_world_name(std::string_view name) { return name == "<world>" || name == "<non-client>"; }

constexpr std::array silent_lines{
    // Quake III
    "ShutdownGame:"sv, "ClientConnect:"sv, "ClientDisconnect:"sv, "ClientUserinfo:"sv, "Exit:"sv,
    "red:"sv, "Warmup:"sv, "InitRound:"sv, "broadcast:"sv, "tell:"sv, "vsay:"sv, "vsayteam:"sv,
    "vtell:"sv, "vosay:"sv, "vosayteam:"sv, "votell:"sv, "Award:"sv, "CTF:"sv, "PlayerScore:"sv,
    "Challenge:"sv, "Playerstore:"sv, "ClientSpawn:"sv, "-----"sv, "Restart:"sv,
    // OpenArena
    "1FCTF:"sv, "OBELISK:"sv, "HARVESTER:"sv, "DD:"sv, "DOM:"sv, "ELIMINATION:"sv,
    "CTF_ELIMINATION:"sv, "LMS:"sv, "Info:"sv, "MapVote"sv,
    // Urban Terror
    "saytell:"sv, "Flag:"sv, "Flag Return:"sv, "FlagCaptureTime:"sv, "Bomb "sv, "Bombholder "sv,
    "Pop!"sv, "Radio:"sv, "Callvote:"sv, "Vote:"sv, "VotePassed:"sv, "VoteFailed:"sv, "Survivor"sv,
    "InitAuth:"sv, "Account"sv, "Assist:"sv, "ClientSavePosition:"sv, "ClientLoadPosition:"sv,
    "ClientGoto:"sv, "ClientJump"sv, "ClientMelted:"sv, "Freeze:"sv, "ThawOut"sv, "HotPotato:"sv,
    "Session data"sv};

struct client {
  std::string name;  // empty: never named
  std::string id;
  std::int64_t team = 0;
};

std::string_view side(std::int64_t team) {
  switch (team) {
    case 1: return "red";
    case 2: return "blue";
    case 3: return "spectator";
    default: return "free";
  }
}

// The value of `key` in `\key\value\key\value`; the first backslash may be missing.
std::optional<std::string_view> info_value(std::string_view info, std::string_view key) {
  cursor c(info);
  c.eat("\\");
  while (!c.done()) {
    const auto name = c.until("\\");
    if (!name) return std::nullopt;
    auto value = c.until("\\");
    if (!value) {
      value = c.rest();
      c = cursor({});
    }
    if (*name == key) return value;
  }
  return std::nullopt;
}

class quake3_parser final : public log_parser {
 public:
  explicit quake3_parser(parser_options options)
      : log_parser(std::move(options)), clients_(entities) {}
  [[nodiscard]] std::unique_ptr<log_parser> clone() const override {
    return std::make_unique<quake3_parser>(*this);
  }

 private:
  using player = recorder::player;

  bool parse(std::string_view text) override;
  bool parse_userinfo(cursor line);
  bool parse_begin(cursor line);
  bool parse_leave(cursor line);
  bool parse_kill(cursor line);
  bool kill(int killer, int victim, std::string_view killer_name, std::string_view victim_name,
            std::string_view weapon);
  bool parse_hit(cursor line);
  bool parse_item(cursor line);
  bool parse_score(cursor line);
  bool parse_chat(cursor line, bool team);

  // The client with this number; `fallback`, if any, is what the line calls it.
  std::optional<player> see(int number, std::string_view fallback = {});
  // Who speaks in `name: text`; a name may hold ": " itself.
  const client* speaker(std::string_view line) const;
  // Who speaks in `2 name: text`; passes the number and the space.
  const client* numbered_speaker(cursor& line) const;
  const client& client_of(int number) const { return clients_[static_cast<std::size_t>(number)]; }

  std::vector<client> clients_;
  bool numbers_speakers_ = false;  // the game is one that does, whatever players call themselves
};

// Reads `20:34 ` and gives the seconds since the start of the server. The engine prints into seven
// characters, and the event follows there whatever did not fit.
std::optional<std::chrono::seconds> eat_time(cursor& line) {
  const auto begin = line.rest().size();
  const auto minutes = line.natural();
  const auto minute_digits = begin - line.rest().size();
  if (!minutes || !line.eat(":")) return std::nullopt;
  auto seconds = line.digits(2);
  if (!seconds && minute_digits == 5) {
    seconds = line.digits(1);
    if (seconds) *seconds *= 10;
  }
  if (!seconds && minute_digits == 6) seconds = 0;
  if (!seconds || !(line.eat(" ") || minute_digits >= 4)) return std::nullopt;
  return std::chrono::minutes{*minutes} + std::chrono::seconds{*seconds};
}

// A number of an entity, and the space or colon behind it.
std::optional<int> eat_entity(cursor& line, std::string_view end) {
  const auto number = line.natural();
  if (!number || *number >= entities || !line.eat(end)) return std::nullopt;
  return number;
}

bool quake3_parser::parse(std::string_view text) {
  cursor line(text);
  const auto time = eat_time(line);
  if (!time) return false;
  record().at(*time);
  line.eat_spaces();
  if (line.eat("Item: ")) return parse_item(line);
  if (line.eat("Kill: ")) return parse_kill(line);
  if (line.eat("ClientUserinfoChanged: ")) return parse_userinfo(line);
  if (line.eat("ClientBegin: ")) return parse_begin(line);
  if (line.eat("ClientDisconnect: ")) return parse_leave(line);
  if (line.eat("score: ")) return parse_score(line);
  if (line.eat("say: ")) return parse_chat(line, false);
  if (line.eat("sayteam: ")) return parse_chat(line, true);
  if (line.eat("Hit: ")) return parse_hit(line);
  if (line.eat("InitGame: ")) {
    record().level(info_value(line.rest(), "mapname").value_or(std::string_view{}));
    numbers_speakers_ =
        info_value(line.rest(), "gamename").value_or(std::string_view{}).starts_with("q3ut");
    return true;
  }
  return std::any_of(silent_lines.begin(), silent_lines.end(),
                     [&](std::string_view start) { return line.rest().starts_with(start); });
}

std::optional<recorder::player> quake3_parser::see(int number, std::string_view fallback) {
  const auto& known = client_of(number);
  if (!known.id.empty()) return record().see(known.id, known.name);
  if (fallback.empty()) return std::nullopt;
  return record().see(name_to_id(fallback), fallback);
}

bool quake3_parser::parse_userinfo(cursor line) {
  const auto number = eat_entity(line, " ");
  if (!number || *number >= world_entity) return false;
  const auto name = info_value(line.rest(), "n");
  if (!name) return false;
  const auto team = info_value(line.rest(), "t");
  client now{std::string(*name), name_to_id(*name), team ? parse_integer(*team).value_or(0) : 0};
  if (!record().see(now.id, now.name)) return false;
  clients_[static_cast<std::size_t>(*number)] = std::move(now);
  return true;
}

bool quake3_parser::parse_begin(cursor line) {
  const auto number = eat_entity(line, "");
  if (!number || !line.done()) return false;
  const auto who = see(*number);
  if (who) {
    record().joined(*who);
    record().respawn(*who, recorder::full_hp);
  }
  return who.has_value();
}

bool quake3_parser::parse_leave(cursor line) {
  const auto number = eat_entity(line, "");
  if (number) record().left(client_of(*number).id);
  return true;
}

bool quake3_parser::parse_kill(cursor line) {
  const auto killer = eat_entity(line, " ");
  if (!killer) return false;
  const auto victim = eat_entity(line, "");
  if (!victim || *victim >= world_entity) return false;
  const bool has_means = line.eat(" ") && eat_entity(line, "").has_value();
  const bool has_text = line.eat(": ");
  auto text = has_text ? line.rest() : std::string_view{};
  std::string_view weapon;
  if (text.ends_with(" by")) text.remove_suffix(3);
  if (const auto by = text.rfind(" by "); by != std::string_view::npos) {
    weapon = text.substr(by + 4);
    text = text.substr(0, by);
  }
  cursor names(text);
  const auto killer_name = names.until(" killed ");
  const auto victim_name = killer_name ? names.rest() : std::string_view{};
  if (!kill(*killer, *victim, killer_name.value_or(std::string_view{}), victim_name, weapon))
    return false;
  if (!has_means || !killer_name || weapon.empty()) record().count_line_in_part();
  return true;
}

bool quake3_parser::kill(int killer_number, int victim_number, std::string_view killer_name,
                         std::string_view victim_name, std::string_view weapon) {
  const bool unnamed = client_of(killer_number).id.empty();
  const bool by_world = killer_number >= world_entity || (unnamed && is_world_name(killer_name));
  if (!by_world && unnamed && killer_name.empty()) return false;
  const auto victim = see(victim_number, victim_name);
  if (!victim) return false;
  const auto killer = by_world ? victim : see(killer_number, killer_name);
  if (!killer) return false;
  if (record().hp(*victim) == 0) record().respawn(*victim, recorder::full_hp);
  if (by_world) {
    record().respawn(*victim, 0);
    record().death(*victim);
    return true;
  }
  record().attack({.attacker = *killer, .target = *victim, .damage = 100, .weapon = weapon});
  if (*killer == *victim)
    record().death(*victim);
  else
    record().kill({*killer, *victim, weapon, false});
  return true;
}

// `3 2 1 19: Ann hit Bob in the Torso`: target, attacker, part of the body, weapon.
bool quake3_parser::parse_hit(cursor line) {
  const auto target_number = eat_entity(line, " ");
  if (!target_number || *target_number >= world_entity) return false;
  const auto attacker_number = eat_entity(line, " ");
  if (!attacker_number || *attacker_number >= world_entity) return false;
  if (!eat_entity(line, " ")) return false;
  const auto weapon = eat_entity(line, "");
  if (!weapon) return false;
  cursor names(line.eat(": ") ? line.rest() : std::string_view{});
  if (const auto part = names.rest().rfind(" in the "); part != std::string_view::npos)
    names = cursor(names.rest().substr(0, part));
  const auto attacker_name = names.until(" hit ");
  const auto target_name = attacker_name ? names.rest() : std::string_view{};
  const auto attacker = see(*attacker_number, attacker_name.value_or(std::string_view{}));
  const auto target = see(*target_number, target_name);
  if (!attacker || !target) return false;
  record().attack({.attacker = *attacker,
                   .target = *target,
                   .damage = 0,
                   .weapon = fmt::format("weapon_{}", *weapon)});
  return true;
}

bool quake3_parser::parse_item(cursor line) {
  const auto number = eat_entity(line, " ");
  if (!number || line.done()) return false;
  const auto who = see(*number);
  if (who) record().item(*who, line.rest(), 1);
  return who.has_value();
}

// `20  ping: 4  client: 2 Isgalamido`
bool quake3_parser::parse_score(cursor line) {
  const auto score = line.integer();
  if (!score || !line.eat("  ping: ") || !line.integer() || !line.eat("  client: ")) return false;
  const auto number = eat_entity(line, "");
  if (!number || !(line.done() || line.eat(" "))) return false;
  const auto who = see(*number, line.rest());
  if (who) record().complete(*who, *score);
  return who.has_value();
}

const client* quake3_parser::speaker(std::string_view line) const {
  const client* best = nullptr;
  for (const auto& c : clients_) {
    if (c.id.empty() || !line.starts_with(c.name)) continue;
    if (!line.substr(c.name.size()).starts_with(":")) continue;
    if (!best || c.name.size() > best->name.size()) best = &c;
  }
  return best;
}

const client* quake3_parser::numbered_speaker(cursor& line) const {
  cursor at = line;
  const auto number = eat_entity(at, " ");
  if (!number) return nullptr;
  const auto& known = client_of(*number);
  const bool is_named = !known.id.empty() && at.rest().starts_with(known.name) &&
                        at.rest().substr(known.name.size()).starts_with(":");
  if (!is_named && !numbers_speakers_) return nullptr;
  line = at;
  return known.id.empty() ? nullptr : &known;
}

bool quake3_parser::parse_chat(cursor line, bool team) {
  const auto* known = numbers_speakers_ ? numbered_speaker(line) : speaker(line.rest());
  if (!known) known = numbers_speakers_ ? speaker(line.rest()) : numbered_speaker(line);
  std::string_view name;
  if (known) {
    name = known->name;
    line.eat(name);
    if (!line.eat(":") && !line.until(": ")) return false;
  } else if (const auto before = line.until(": ")) {
    name = *before;
  }
  if (name.empty()) return false;
  const auto id = name_to_id(name);
  if (!record().see(id, name)) return false;
  line.eat(" ");
  const auto channel =
      team ? to_id(side(known ? known->team : 0), "team:") : std::string("general");
  record().chat(channel, id, line.rest());
  return true;
}

}  // namespace

std::unique_ptr<log_parser> make_quake3_parser(parser_options options) {
  return std::make_unique<quake3_parser>(std::move(options));
}

}  // namespace skirmish::ingest
