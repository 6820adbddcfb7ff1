#include "interactions/event_text.hpp"

#include "core/asio.hpp"
#include "core/json_text.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <fmt/compile.h>
#include <fmt/format.h>

#include <iterator>

namespace skirmish::interactions {
namespace {

namespace json = boost::json;

// What is rare.
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

// The last member of an attack's or a move's list, and its end.
void append_server(std::string& out, const std::string& server) {
  if (!server.empty()) out.append(R"(,")").append(server) += '"';
  out += "]\n";
}

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

void append_line(std::string& out, const event& e) {
  const auto ms = [](timestamp t) { return t.time_since_epoch().count(); };
  // Ids hold nothing that JSON escapes.
  if (const auto* a = std::get_if<attack>(&e)) {
    out.append(R"(["attack",")").append(a->attacker_id).append(R"(",")").append(a->target_id);
    out.append(R"(",)").append(fmt::format_int(a->damage).c_str()) += ',';
    out.append(fmt::format_int(ms(a->ts)).c_str());
    if (!a->id.empty() || !a->weapon.empty() || !a->server.empty())
      out.append(R"(,")").append(a->id).append(R"(",")").append(a->weapon) += '"';
    append_server(out, a->server);
  } else if (const auto* m = std::get_if<move>(&e)) {
    fmt::format_to(std::back_inserter(out), FMT_COMPILE(R"(["move","{}",{},{},{},{})"),
                   m->player_id, m->lat, m->lon, m->alt, ms(m->ts));
    append_server(out, m->server);
  } else {
    std::visit(
        [&](const auto& x) {
          if constexpr (requires { to_object{}(x); }) out += json_text_of(to_object{}(x));
        },
        e);
    out += '\n';
  }
}

std::optional<json::object> parse_line(std::string_view line) {
  error_code ec;
  auto v = json::parse(line, ec);
  if (ec) return std::nullopt;
  if (v.is_object()) return std::move(v.get_object());
  const auto* list = v.if_array();
  if (!list || list->size() < 5) return std::nullopt;
  const auto time = [&](std::size_t at) {
    const auto ms = list->at(at).to_number<std::int64_t>(ec);
    return json::value(to_rfc3339(timestamp{std::chrono::milliseconds{ms}}));
  };
  const bool is_attack = list->at(0) == "attack";
  json::object out{{"type", list->at(0)}, {is_attack ? "attacker_id" : "player_id", list->at(1)}};
  if (is_attack) {
    out["target_id"] = list->at(2);
    out["damage"] = list->at(3);
    if (list->size() >= 7 && list->at(5) != "") out["id"] = list->at(5);
    if (list->size() >= 7 && list->at(6) != "") out["weapon"] = list->at(6);
    if (list->size() == 8) out["server"] = list->at(7);
    out["ts"] = time(4);
  } else if (list->size() >= 6) {
    out["lat"] = list->at(2);
    out["lon"] = list->at(3);
    out["alt"] = list->at(4);
    if (list->size() == 7) out["server"] = list->at(6);
    out["ts"] = time(5);
  }
  return out;
}

}  // namespace skirmish::interactions
