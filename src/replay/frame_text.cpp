#include "replay/frame_text.hpp"

#include "core/json_text.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <optional>

namespace skirmish::cli {
namespace {

namespace json = boost::json;

// The event as the API takes it; nothing for facts, which are no events of the stream.
struct to_wire {
  std::optional<json::object> operator()(const ingest::attack& a) const {
    json::object o{{"type", "attack"},
                   {"attacker_id", a.attacker_id},
                   {"target_id", a.target_id},
                   {"damage", a.damage}};
    if (!a.weapon.empty()) o["weapon"] = a.weapon;
    add_time(o, a.ts);
    return o;
  }
  std::optional<json::object> operator()(const ingest::move& m) const {
    json::object o{{"type", "move"}, {"player_id", m.player_id}, {"lat", m.lat}, {"lon", m.lon},
                   {"alt", m.alt},   {"ttl_s", m.ttl_s}};
    add_time(o, m.ts);
    return o;
  }
  std::optional<json::object> operator()(const ingest::respawn& r) const {
    return json::object{{"type", "respawn"}, {"player_id", r.player_id}, {"hp", r.hp}};
  }
  std::optional<json::object> operator()(const ingest::score& s) const {
    return json::object{{"type", "score"},
                        {"board", s.board},
                        {"player_id", s.player_id},
                        {"value", s.value},
                        {"operator", "increment"}};
  }
  std::optional<json::object> operator()(const ingest::item& i) const {
    return json::object{
        {"type", "item"}, {"player_id", i.player_id}, {"item", i.item}, {"quantity", i.quantity}};
  }
  std::optional<json::object> operator()(const ingest::completion& c) const {
    return json::object{{"type", "completion"},
                        {"level_id", c.level_id},
                        {"player_id", c.player_id},
                        {"score", c.score}};
  }
  std::optional<json::object> operator()(const ingest::chat& c) const {
    json::object o{{"type", "chat"}, {"channel", c.channel}, {"from", c.from}, {"text", c.text}};
    add_time(o, c.ts);
    return o;
  }
  template <class Other>
  std::optional<json::object> operator()(const Other&) const {
    return std::nullopt;
  }

  static void add_time(json::object& o, const std::optional<timestamp>& ts) {
    if (ts) o["ts"] = to_rfc3339(*ts);
  }
};

}  // namespace

encoded_frame encode(const ingest::frame& f) {
  json::array events;
  for (const auto& e : f.events)
    if (auto wire = std::visit(to_wire{}, e)) events.push_back(std::move(*wire));
  encoded_frame out{f.seq, events.size(), {}};
  out.text = json_text_of(json::object{{"seq", f.seq}, {"interactions", std::move(events)}});
  return out;
}

}  // namespace skirmish::cli
