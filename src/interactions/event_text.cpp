// Events as text: one line of JSON each, for the log and a player's last actions.
#include "interactions/event_text.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/compile.h>
#include <fmt/format.h>

#include <iterator>

namespace skirmish::interactions {
namespace {

namespace json = boost::json;

// What is rare. Attacks and moves, the many, are written without a tree.
struct to_object {
  json::object operator()(const respawn& r) const {
    return {{"type", "respawn"}, {"player_id", r.player_id}, {"hp", r.hp}};
  }
  json::object operator()(const score& s) const {
    return {{"type", "score"},
            {"board", s.board},
            {"player_id", s.player_id},
            {"value", s.value},
            {"operator", word(s.op)}};
  }
  json::object operator()(const item& i) const {
    return {
        {"type", "item"}, {"player_id", i.player_id}, {"item", i.name}, {"quantity", i.quantity}};
  }
  json::object operator()(const completion& c) const {
    json::object o{{"type", "completion"},
                   {"level_id", c.level_id},
                   {"player_id", c.player_id},
                   {"score", c.score}};
    if (!c.id.empty()) o["completion_id"] = c.id;
    return o;
  }
  json::object operator()(const trade& t) const {
    const auto object_of = [](const goods& all) {
      json::object o;
      for (const auto& [name, quantity] : all) o[name] = quantity;
      return o;
    };
    json::object o{{"type", "trade"},
                   {"from", t.from},
                   {"to", t.to},
                   {"give", object_of(t.give)},
                   {"take", object_of(t.take)}};
    if (!t.id.empty()) o["id"] = t.id;
    o["ts"] = to_rfc3339(t.ts);
    return o;
  }
  json::object operator()(const chat& c) const {
    return {{"type", "chat"},
            {"channel", c.channel},
            {"from", c.from},
            {"text", c.text},
            {"ts", to_rfc3339(c.ts)}};
  }
};

}  // namespace

std::string_view word(score_operator op) {
  switch (op) {
    case score_operator::best: return "best";
    case score_operator::set: return "set";
    case score_operator::increment: return "increment";
  }
  return "increment";
}

std::string_view time_text::operator()(timestamp t) {
  if (text_.empty() || t != last_) {
    last_ = t;
    text_ = to_rfc3339(t);
  }
  return text_;
}

void append_json_line(std::string& out, const event& e, time_text& times) {
  auto to = std::back_inserter(out);
  if (const auto* a = std::get_if<attack>(&e)) {
    // Ids hold nothing that JSON escapes.
    out += R"({"type":"attack","attacker_id":")";
    out += a->attacker_id;
    out += R"(","target_id":")";
    out += a->target_id;
    out += R"(","damage":)";
    out += fmt::format_int(a->damage).c_str();
    if (!a->id.empty()) out.append(R"(,"id":")").append(a->id) += '"';
    if (!a->weapon.empty()) out.append(R"(,"weapon":")").append(a->weapon) += '"';
    out.append(R"(,"ts":")").append(times(a->ts)) += "\"}\n";
  } else if (const auto* m = std::get_if<move>(&e)) {
    fmt::format_to(
        to,
        FMT_COMPILE(R"({{"type":"move","player_id":"{}","lat":{},"lon":{},"alt":{},"ts":"{}"}})"),
        m->player_id, m->lat, m->lon, m->alt, times(m->ts));
    out += '\n';
  } else {
    std::visit(
        [&](const auto& x) {
          if constexpr (requires { to_object{}(x); }) out += json::serialize(to_object{}(x));
        },
        e);
    out += '\n';
  }
}

std::string to_json_line(const event& e) {
  std::string out;
  time_text times;
  append_json_line(out, e, times);
  out.pop_back();
  return out;
}

}  // namespace skirmish::interactions
