#include "status/document.hpp"

#include "core/json_text.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

namespace skirmish::status {
namespace {

namespace json = boost::json;

struct known_constant {
  std::string_view name;    // in the table
  std::string_view member;  // in the JSON
  double document::* value;
};

// In the order of the JSON; the middle ones stand in `rates`.
constexpr known_constant known[] = {{"ServerStatus", "server_status", &document::server_status},
                                    {"RateExp", "exp", &document::rate_exp},
                                    {"RatePvp", "pvp", &document::rate_pvp},
                                    {"RatePve", "pve", &document::rate_pve},
                                    {"RateColorMob", "color_mob", &document::rate_color_mob},
                                    {"RateSkill", "skill", &document::rate_skill},
                                    {"CLIENT_STATUS", "client_status", &document::client_status}};
constexpr std::size_t rates_first = 1;
constexpr std::size_t rates_last = 5;
constexpr std::size_t name_limit_bytes = 64;

// A finite decimal number and nothing else but spaces around it.
std::optional<double> parse_number(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  if (text.starts_with('+')) text.remove_prefix(1);
  double out = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (ec != std::errc{} || end != text.data() + text.size() || !std::isfinite(out))
    return std::nullopt;
  return out;
}

// A value quoted in a complaint.
std::string shown(std::string_view text) {
  return "`" + clean_text(text.substr(0, 40)) + (text.size() > 40 ? "…`" : "`");
}

// 1.0 is written as 1.0, not as 1, so that readers with types see a fraction.
std::string number(double value) {
  std::string out;
  append_json_number(out, value);
  if (out.find_first_of(".en") == std::string::npos) out += ".0";
  return out;
}

std::string time_text(timestamp t) {
  return t == timestamp{} ? std::string("null") : "\"" + to_rfc3339(t) + "\"";
}

// Seconds since 1970 with their milliseconds: readers in other languages subtract it from theirs.
std::string unix_text(timestamp t) {
  if (t == timestamp{}) return "null";
  return fmt::format("{:.3f}", std::chrono::duration<double>(t.time_since_epoch()).count());
}

const json::value* member(const json::object& in, std::string_view name) {
  return in.if_contains(name);
}

std::string text_member(const json::object& in, std::string_view name) {
  const auto* found = member(in, name);
  return found && found->is_string() ? clean_text(found->get_string()) : std::string();
}

std::optional<double> number_member(const json::object& in, std::string_view name) {
  const auto* found = member(in, name);
  if (!found || !found->is_number()) return std::nullopt;
  const auto value = found->to_number<double>();
  return std::isfinite(value) ? std::optional(value) : std::nullopt;
}

std::optional<std::int64_t> count_member(const json::object& in, std::string_view name) {
  const auto value = number_member(in, name);
  if (!value || *value < 0 || *value > 1e9) return std::nullopt;
  return static_cast<std::int64_t>(*value);
}

// Unix time as programs write it: in seconds, or since the other magnitudes would lie far in the
// future, in milli- or microseconds.
timestamp time_of(double unix_time) {
  constexpr double seconds_max = 1e11;  // the year 5138
  double ms = unix_time * 1000;
  if (unix_time >= seconds_max * 1000)
    ms = unix_time / 1000;
  else if (unix_time >= seconds_max)
    ms = unix_time;
  if (!(ms > 0) || ms > seconds_max * 1000) return {};
  return timestamp{std::chrono::milliseconds{std::llround(ms)}};
}

timestamp time_member(const json::object& in, std::string_view name) {
  if (const auto number = number_member(in, name)) return time_of(*number);
  const auto* found = member(in, name);
  if (!found || !found->is_string()) return {};
  const std::string text(found->get_string());
  if (const auto t = parse_rfc3339(text)) return *t;
  if (const auto t = parse_rfc3339(text + "Z")) return *t;  // no zone: UTC
  const auto number = parse_number(text);
  return number ? time_of(*number) : timestamp{};
}

std::uint64_t fnv1a(std::string_view text) {
  std::uint64_t hash = 14'695'981'039'346'656'037U;
  for (const unsigned char c : text) hash = (hash ^ c) * 1'099'511'628'211U;
  return hash;
}

}  // namespace

reading read_constants(const std::vector<constant_row>& rows, timestamp now) {
  reading out;
  out.made.updated_at = now;
  std::set<std::string> seen;
  for (const auto& row : rows) {
    if (!row.name) {
      out.complaints.emplace_back("a row has no Name");
      continue;
    }
    const auto name = clean_text(*row.name, name_limit_bytes);
    if (!seen.insert(name).second) {
      out.complaints.push_back(fmt::format("{} stands there twice; the first row counts", name));
      continue;
    }
    if (out.made.meta.size() < meta_entries_max) {
      const std::string_view description = row.description ? *row.description : std::string_view();
      if (description.size() > description_limit_bytes)
        out.complaints.push_back(
            fmt::format("the Description of {} is cut, it has {} bytes", name, description.size()));
      out.made.meta[name] =
          clean_text(description.substr(0, description_limit_bytes), description_limit_bytes);
    } else if (out.made.meta.size() == meta_entries_max && seen.size() == meta_entries_max + 1) {
      out.complaints.push_back(
          fmt::format("only the first {} descriptions are shown", meta_entries_max));
    }
    const auto* target = std::find_if(std::begin(known), std::end(known),
                                      [&](const auto& k) { return k.name == *row.name; });
    if (target == std::end(known)) continue;
    const auto value = row.value ? parse_number(*row.value) : std::nullopt;
    if (value)
      out.made.*(target->value) = *value;
    else
      out.complaints.push_back(
          fmt::format("the Value of {} is {}; its default is used", name,
                      row.value ? shown(*row.value) + ", not a number" : "NULL"));
  }
  return out;
}

std::string to_json(const document& d, std::string_view tail) {
  std::string out = "{";
  for (std::size_t i = 0; i < std::size(known); ++i) {
    if (i == rates_first) out += R"("rates":{)";
    out += fmt::format(R"("{}":{})", known[i].member, number(d.*(known[i].value)));
    out += i == rates_last ? "}," : ",";
  }
  out += fmt::format(R"("updated_at":{},"updated_at_unix":{},"scheduled_at":{},"_meta":{{)",
                     time_text(d.updated_at), unix_text(d.updated_at), time_text(d.scheduled_at));
  bool is_first = true;
  for (const auto& [name, description] : d.meta) {
    if (!std::exchange(is_first, false)) out += ',';
    out += json_string_of(name) + ":" + json_string_of(description);
  }
  out += '}';
  if (d.game) out += game_members(*d.game);
  return out.append(tail).append("}");
}

std::optional<document> parse_document(std::string_view text) {
  json::parse_options options;
  options.max_depth = 8;
  options.numbers = json::number_precision::precise;  // what was written is what is read
  boost::system::error_code ec;
  const auto parsed = json::parse(text, ec, {}, options);
  const auto* object = ec ? nullptr : parsed.if_object();
  if (!object) return std::nullopt;
  document out;
  const auto* rates = member(*object, "rates");
  for (std::size_t i = 0; i < std::size(known); ++i) {
    const bool is_rate = i >= rates_first && i <= rates_last;
    const auto* from = is_rate ? (rates ? rates->if_object() : nullptr) : object;
    if (!from) continue;
    if (const auto value = number_member(*from, known[i].member)) out.*(known[i].value) = *value;
  }
  out.updated_at = time_member(*object, "updated_at");
  if (out.updated_at == timestamp{}) out.updated_at = time_member(*object, "updated_at_unix");
  out.scheduled_at =
      member(*object, "scheduled_at") ? time_member(*object, "scheduled_at") : out.updated_at;
  const auto* meta = member(*object, "_meta");
  if (meta && meta->is_object()) {
    for (const auto& [name, description] : meta->get_object()) {
      if (out.meta.size() == meta_entries_max) break;
      if (description.is_string())
        out.meta[clean_text(name, name_limit_bytes)] = clean_text(
            std::string_view(description.get_string()).substr(0, description_limit_bytes),
            description_limit_bytes);
    }
  }
  out.game = read_game(*object);
  return out;
}

std::string game_members(const observation& game) {
  const auto whole = [](const std::optional<std::int64_t>& n) {
    return n ? std::to_string(*n) : std::string("null");
  };
  const auto latency = game.latency_ms ? rounded_json_number(*game.latency_ms, 3) : "null";
  return fmt::format(
      R"(,"online":{},"players":{},"max_players":{},"map":{},"name":{},"version":{},"latency_ms":{})"
      R"(,"observed_at":{},"checked_at":{},"changed_at":{})",
      game.is_online, whole(game.info.players), whole(game.info.max_players),
      json_string_of(game.info.map), json_string_of(game.info.name),
      json_string_of(game.info.version), latency, time_text(game.observed_at),
      time_text(game.checked_at), time_text(game.changed_at));
}

std::optional<observation> read_game(const json::object& in) {
  const auto* online = member(in, "online");
  if (!online || !online->is_bool()) return std::nullopt;
  observation out;
  out.is_online = online->get_bool();
  out.info = {count_member(in, "players"), count_member(in, "max_players"), text_member(in, "map"),
              text_member(in, "name"), text_member(in, "version")};
  const auto latency = number_member(in, "latency_ms");
  if (latency && *latency >= 0 && *latency < 1e9) out.latency_ms = latency;
  out.observed_at = time_member(in, "observed_at");
  out.checked_at = time_member(in, "checked_at");
  out.changed_at = time_member(in, "changed_at");
  return out;
}

std::string etag_of(const document& d, bool is_stale) {
  // Weak (RFC 9110, section 8.8.3): the age in `_cache` changes every second, what it tells does
  // not.
  return fmt::format("W/\"{:016x}{}\"", fnv1a(to_json(d)), is_stale ? "s" : "");
}

}  // namespace skirmish::status
