#include "ingest/quake3_log.hpp"

#include "core/parse.hpp"
#include "ingest/text.hpp"

#include <algorithm>
#include <array>

namespace skirmish::ingest {
namespace {

// MAX_GENTITIES of the engine: numbers of clients and of everything else in the world lie below it.
constexpr int entities = 1024;
// ENTITYNUM_WORLD: deaths by falling, lava and the void.
constexpr int world_entity = 1022;
// What the engine calls a killer that is no client.
bool is_world_name(std::string_view name) { return name == "<world>" || name == "<non-client>"; }

constexpr std::array<std::string_view, 21> silent_lines{
    "ShutdownGame:",   "ClientConnect:", "ClientDisconnect:",
    "ClientUserinfo:", "Exit:",          "red:",
    "Warmup:",         "InitRound:",     "broadcast:",
    "tell:",           "vsay:",          "vsayteam:",
    "vtell:",          "Award:",         "CTF:",
    "PlayerScore:",    "Challenge:",     "Playerstore:",
    "ClientSpawn:",    "-----",          "Restart:"};

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
  explicit quake3_parser(geo_origin origin) : log_parser(origin), clients_(entities) {}

 private:
  using player = recorder::player;

  bool parse(std::string_view text) override;
  bool parse_userinfo(cursor line);
  bool parse_begin(cursor line);
  bool parse_kill(cursor line);
  bool parse_item(cursor line);
  bool parse_score(cursor line);
  bool parse_chat(cursor line, bool team);

  // The client with this number; `fallback`, if any, is what the line calls it.
  std::optional<player> see(int number, std::string_view fallback = {});
  // Who speaks in `name: text`; a name may hold ": " itself.
  const client* speaker(std::string_view line) const;

  std::vector<client> clients_;
};

// Reads `20:34 ` and gives the seconds since the start of the server.
std::optional<std::chrono::seconds> eat_time(cursor& line) {
  const auto minutes = line.natural();
  if (!minutes || !line.eat(":")) return std::nullopt;
  const auto seconds = line.digits(2);
  if (!seconds || !line.eat(" ")) return std::nullopt;
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
  if (line.eat("score: ")) return parse_score(line);
  if (line.eat("say: ")) return parse_chat(line, false);
  if (line.eat("sayteam: ")) return parse_chat(line, true);
  if (line.eat("InitGame: ")) {
    record().level(info_value(line.rest(), "mapname").value_or(std::string_view{}));
    return true;
  }
  return std::any_of(silent_lines.begin(), silent_lines.end(),
                     [&](std::string_view start) { return line.rest().starts_with(start); });
}

std::optional<recorder::player> quake3_parser::see(int number, std::string_view fallback) {
  const auto& known = clients_[static_cast<std::size_t>(number)];
  if (!known.id.empty()) return record().see(known.id, known.name);
  if (fallback.empty()) return std::nullopt;
  return record().see(to_id(fallback), fallback);
}

bool quake3_parser::parse_userinfo(cursor line) {
  const auto number = eat_entity(line, " ");
  if (!number || *number >= world_entity) return false;
  const auto name = info_value(line.rest(), "n");
  if (!name) return false;
  const auto team = info_value(line.rest(), "t");
  client now{std::string(*name), to_id(*name), team ? parse_integer(*team).value_or(0) : 0};
  if (!record().see(now.id, now.name)) return false;
  clients_[static_cast<std::size_t>(*number)] = std::move(now);
  return true;
}

bool quake3_parser::parse_begin(cursor line) {
  const auto number = eat_entity(line, "");
  if (!number || !line.done()) return false;
  const auto who = see(*number);
  if (who) record().respawn(*who, recorder::full_hp);
  return who.has_value();
}

bool quake3_parser::parse_kill(cursor line) {
  const auto killer_number = eat_entity(line, " ");
  if (!killer_number) return false;
  const auto victim_number = eat_entity(line, " ");
  if (!victim_number || *victim_number >= world_entity) return false;
  const auto means = eat_entity(line, ": ");
  if (!means) return false;
  const auto text = line.rest();
  const auto by = text.rfind(" by ");
  if (by == std::string_view::npos || by + 4 == text.size()) return false;
  const auto weapon = text.substr(by + 4);
  cursor names(text.substr(0, by));
  const auto killer_name = names.until(" killed ");
  if (!killer_name) return false;

  const auto victim = see(*victim_number, names.rest());
  if (!victim) return false;
  const bool unnamed = clients_[static_cast<std::size_t>(*killer_number)].id.empty();
  const bool by_world = *killer_number >= world_entity || (unnamed && is_world_name(*killer_name));
  const auto killer = by_world ? victim : see(*killer_number, *killer_name);
  if (!killer) return false;
  if (record().hp(*victim) == 0) record().respawn(*victim, recorder::full_hp);
  if (by_world) {
    record().respawn(*victim, 0);
    return true;
  }
  record().attack({.attacker = *killer, .target = *victim, .damage = 100, .weapon = weapon});
  if (*killer != *victim) record().kill(*killer);
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

bool quake3_parser::parse_chat(cursor line, bool team) {
  const auto* known = speaker(line.rest());
  std::string_view name;
  if (known) {
    name = known->name;
    line.eat(name);
    line.eat(":");
  } else if (const auto before = line.until(": ")) {
    name = *before;
  }
  if (name.empty()) return false;
  const auto id = to_id(name);
  if (!record().see(id, name)) return false;
  line.eat(" ");
  const auto channel =
      team ? to_id(side(known ? known->team : 0), "team:") : std::string("general");
  record().chat(channel, id, line.rest());
  return true;
}

}  // namespace

std::unique_ptr<log_parser> make_quake3_parser(geo_origin origin) {
  return std::make_unique<quake3_parser>(origin);
}

}  // namespace skirmish::ingest
