#include "ingest/wire.hpp"

namespace skirmish::ingest {
namespace {

namespace json = boost::json;

struct wire_form {
  std::optional<json::object> operator()(const attack& a) const {
    json::object o{{"type", "attack"},
                   {"attacker_id", a.attacker_id},
                   {"target_id", a.target_id},
                   {"damage", a.damage}};
    if (!a.weapon.empty()) o["weapon"] = a.weapon;
    add_server(o, a.server);
    add_time(o, a.ts);
    return o;
  }
  std::optional<json::object> operator()(const move& m) const {
    json::object o{{"type", "move"}, {"player_id", m.player_id}, {"lat", m.lat}, {"lon", m.lon},
                   {"alt", m.alt},   {"ttl_s", m.ttl_s}};
    add_server(o, m.server);
    add_time(o, m.ts);
    return o;
  }
  std::optional<json::object> operator()(const respawn& r) const {
    return json::object{{"type", "respawn"}, {"player_id", r.player_id}, {"hp", r.hp}};
  }
  std::optional<json::object> operator()(const score& s) const {
    return json::object{{"type", "score"},
                        {"board", s.board},
                        {"player_id", s.player_id},
                        {"value", s.value},
                        {"operator", s.keeps_best ? "best" : "increment"}};
  }
  std::optional<json::object> operator()(const item& i) const {
    return json::object{
        {"type", "item"}, {"player_id", i.player_id}, {"item", i.item}, {"quantity", i.quantity}};
  }
  std::optional<json::object> operator()(const completion& c) const {
    return json::object{{"type", "completion"},
                        {"level_id", c.level_id},
                        {"player_id", c.player_id},
                        {"score", c.score}};
  }
  std::optional<json::object> operator()(const chat& c) const {
    json::object o{{"type", "chat"}, {"channel", c.channel}, {"from", c.from}, {"text", c.text}};
    add_time(o, c.ts);
    return o;
  }
  template <class Other>
  std::optional<json::object> operator()(const Other&) const {
    return std::nullopt;
  }

  static void add_server(json::object& o, const std::string& server) {
    if (!server.empty()) o["server"] = server;
  }
  static void add_time(json::object& o, const std::optional<timestamp>& ts) {
    if (ts) o["ts"] = to_rfc3339(*ts);
  }
};

}  // namespace

std::optional<json::object> to_wire(const event& e) { return std::visit(wire_form{}, e); }

}  // namespace skirmish::ingest
