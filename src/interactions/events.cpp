#include "interactions/events.hpp"

#include "core/digest.hpp"
#include "core/ids.hpp"
#include "core/json_text.hpp"
#include "core/text.hpp"

#include <boost/json/object.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>

namespace skirmish::interactions {
namespace {

namespace json = boost::json;

// Reads the members of one event. The first complaint wins; whoever reads asks for it at the end.
class reader {
 public:
  explicit reader(const json::object& from) : from_(from) {}

  std::string id(std::string_view name, bool needed = true) {
    const auto* v = find(name, needed);
    if (!v) return {};
    if (v->is_string() && is_valid_id(v->get_string())) return std::string(v->get_string());
    complain(name, "must be an id: 1 to 64 of A-Z a-z 0-9 _ . : -");
    return {};
  }

  std::int64_t integer(std::string_view name, std::int64_t low, std::int64_t high) {
    const auto* v = find(name, true);
    if (!v) return low;
    if (v->is_int64() && v->get_int64() >= low && v->get_int64() <= high) return v->get_int64();
    complain(name, fmt::format("must be a whole number, {} to {}", low, high));
    return low;
  }

  double number(std::string_view name, double low, double high, std::optional<double> fallback) {
    const auto* v = find(name, !fallback);
    if (!v) return fallback.value_or(0);
    const double n = v->is_number() ? v->to_number<double>() : std::nan("");
    if (n >= low && n <= high) return n;
    complain(name, fmt::format("must be a number, {} to {}", low, high));
    return low;
  }

  std::optional<std::int64_t> optional_integer(std::string_view name, std::int64_t low,
                                               std::int64_t high) {
    if (!from_.contains(name)) return std::nullopt;
    return integer(name, low, high);
  }

  std::optional<timestamp> time(std::string_view name) {
    const auto* v = find(name, false);
    if (!v) return std::nullopt;
    if (v->is_string())
      if (auto t = parse_rfc3339(v->get_string())) return t;
    complain(name, "must be an RFC 3339 time");
    return std::nullopt;
  }

  std::string word(std::string_view name, std::string fallback) {
    const auto* v = find(name, false);
    if (!v) return fallback;
    if (v->is_string()) return std::string(v->get_string());
    complain(name, "must be a string");
    return fallback;
  }

  // UTF-8 (the JSON parser has checked it) in which text_fault() finds nothing.
  std::string text(std::string_view name, std::int64_t max_chars) {
    auto v = word(name, "");
    if (!from_.contains(name)) complain(name, "is required");
    const auto fault = text_fault(v, lines::many, 0, static_cast<std::size_t>(max_chars));
    if (fault) complain(name, *fault);
    return v;
  }

  goods items(std::string_view name) {
    goods out;
    const auto* v = find(name, false);
    if (!v) return out;
    if (!v->is_object() || v->get_object().size() > goods_max) {
      complain(name, fmt::format("must be an object of at most {} items", goods_max));
      return out;
    }
    for (const auto& m : v->get_object()) {
      const bool fits = is_valid_id(m.key()) && m.value().is_int64() &&
                        m.value().get_int64() >= 1 && m.value().get_int64() <= quantity_max;
      if (!fits)
        complain(name, fmt::format("must map items to quantities of 1 to {}", quantity_max));
      else
        out.emplace_back(m.key(), m.value().get_int64());
    }
    return out;
  }

  // Complains about members that are none of `known` (or `type`).
  void only(std::initializer_list<std::string_view> known) {
    for (const auto& m : from_) {
      const std::string_view key = m.key();
      if (key != "type" && std::find(known.begin(), known.end(), key) == known.end())
        complain(key, "is not known here");
    }
  }

  void complain(std::string_view name, std::string_view what) {
    if (complaint_.empty()) complaint_ = fmt::format("{} {}", name, what);
  }

  [[nodiscard]] const std::string& complaint() const noexcept { return complaint_; }

 private:
  const json::value* find(std::string_view name, bool needed) {
    const auto* v = from_.if_contains(name);
    if (!v && needed) complain(name, "is required");
    return v;
  }

  const json::object& from_;
  std::string complaint_;
};

const error only_servers{errc::forbidden, "only a game server may send that"};
const error only_itself{errc::forbidden, "a player may act only as itself"};
const error needs_chat{errc::forbidden, "this key's scopes do not allow chat events"};

bool is_server(const http::principal& who) { return who.as >= http::role::server; }

attack read_attack(reader& r, timestamp now) {
  attack a;
  a.id = r.id("id", false);
  a.attacker_id = r.id("attacker_id");
  a.target_id = r.id("target_id");
  a.damage = r.integer("damage", 0, damage_max);
  a.weapon = r.id("weapon", false);
  a.ts = r.time("ts").value_or(now);
  a.server = r.id("server", false);
  r.only({"id", "attacker_id", "target_id", "damage", "weapon", "ts", "server"});
  return a;
}

move read_move(reader& r, timestamp now) {
  move m;
  m.player_id = r.id("player_id");
  m.lat = r.number("lat", -90, 90, std::nullopt);
  m.lon = r.number("lon", -180, 180, std::nullopt);
  m.alt = r.number("alt", -100'000, 100'000'000, 0);
  const auto ttl = r.optional_integer("ttl_s", move_ttl_min.count(), move_ttl_max.count());
  if (ttl) m.ttl = std::chrono::seconds{*ttl};
  m.ts = r.time("ts").value_or(now);
  m.server = r.id("server", false);
  r.only({"player_id", "lat", "lon", "alt", "ttl_s", "ts", "server"});
  return m;
}

respawn read_respawn(reader& r) {
  respawn out;
  out.player_id = r.id("player_id");
  out.hp = r.integer("hp", 0, 1'000'000'000);
  r.only({"player_id", "hp"});
  return out;
}

score read_score(reader& r) {
  score s;
  s.board = r.id("board");
  s.player_id = r.id("player_id");
  s.value = r.integer("value", -score_max, score_max);
  const auto op = r.word("operator", "increment");
  if (op == "best")
    s.op = score_operator::best;
  else if (op == "set")
    s.op = score_operator::set;
  else if (op != "increment")
    r.complain("operator", "must be best, set or increment");
  if (s.board == "active") r.complain("board", "`active` is counted by the server itself");
  r.only({"board", "player_id", "value", "operator"});
  return s;
}

item read_item(reader& r) {
  item i;
  i.player_id = r.id("player_id");
  i.name = r.id("item");
  i.quantity = r.integer("quantity", -quantity_max, quantity_max);
  if (i.quantity == 0) r.complain("quantity", "must not be 0");
  r.only({"player_id", "item", "quantity"});
  return i;
}

completion read_completion(reader& r) {
  completion c;
  c.id = r.id("completion_id", false);
  c.level_id = r.id("level_id");
  c.player_id = r.id("player_id");
  c.score = r.integer("score", -score_max, score_max);
  r.only({"completion_id", "level_id", "player_id", "score"});
  return c;
}

trade read_trade(reader& r, timestamp now) {
  trade t;
  t.id = r.id("id", false);
  t.from = r.id("from");
  t.to = r.id("to");
  t.give = r.items("give");
  t.take = r.items("take");
  t.ts = r.time("ts").value_or(now);
  if (t.from == t.to) r.complain("to", "must be another player");
  if (t.give.empty() && t.take.empty()) r.complain("give", "or take must name something");
  r.only({"id", "from", "to", "give", "take", "ts"});
  return t;
}

chat read_chat(reader& r, timestamp now, const skirmish::chat::channel_rules& rules) {
  chat c;
  c.channel = r.id("channel");
  c.from = r.id("from");
  c.text = r.text("text", rules.text_limit_chars);
  c.ts = r.time("ts").value_or(now);
  if (!rules.exists(c.channel)) r.complain("channel", "is no chat channel");
  r.only({"channel", "from", "text", "ts"});
  return c;
}

event_key key_of(const std::string& id, const json::object& sent, const http::principal& who) {
  if (id.empty()) return {};
  const char role = who.as == http::role::player ? 'p' : 'k';
  return {fmt::format("{}:{}@{}", role, who.id, id), digest_of(json_text_of(sent))};
}

}  // namespace

result<event> decode_event(const json::value& v, const http::principal& who, timestamp now,
                           const skirmish::chat::channel_rules& chats) {
  if (!v.is_object()) return error{errc::invalid_argument, "an event must be an object"};
  const auto& object = v.get_object();
  reader r(object);
  const auto type = r.word("type", "");
  std::optional<event> out;
  const std::string* actor = nullptr;
  if (type == "attack") {
    actor = &std::get<attack>(out.emplace(read_attack(r, now))).attacker_id;
  } else if (type == "move") {
    actor = &std::get<move>(out.emplace(read_move(r, now))).player_id;
  } else if (type == "respawn") {
    out = read_respawn(r);
  } else if (type == "score") {
    out = read_score(r);
  } else if (type == "item") {
    out = read_item(r);
  } else if (type == "completion") {
    out = read_completion(r);
  } else if (type == "trade") {
    out = read_trade(r, now);
  } else if (type == "chat") {
    out = read_chat(r, now, chats);
  } else if (r.complaint().empty()) {
    r.complain("type", "must be attack, move, respawn, score, item, completion, trade or chat");
  }
  if (!r.complaint().empty()) return error{errc::invalid_argument, r.complaint()};
  if (!is_server(who)) {
    if (!actor || object.contains("ts") || object.contains("server")) return only_servers;
    if (!who.may_act_as(*actor)) return only_itself;
  }
  if (std::holds_alternative<chat>(*out) && !who.allowed.allow(http::scope::chat, false))
    return needs_chat;
  if (auto* a = std::get_if<attack>(&*out))
    a->key = key_of(a->id, object, who);
  else if (auto* t = std::get_if<trade>(&*out))
    t->key = key_of(t->id, object, who);
  return std::move(*out);
}

const std::string* give_id(event& e, timestamp now) {
  auto* a = std::get_if<attack>(&e);
  if (!a || !a->id.empty()) return nullptr;
  a->id = sortable_id(now);
  return &a->id;
}

}  // namespace skirmish::interactions
