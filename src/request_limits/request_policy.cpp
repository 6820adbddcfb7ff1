#include "request_limits/request_policy.hpp"

#include "core/ids.hpp"
#include "core/parse.hpp"

#include <boost/json/array.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

namespace skirmish::request_limits {
namespace {

using http::role;
using std::chrono::milliseconds;

constexpr std::size_t name_max_bytes = 32;
constexpr std::size_t routes_max = 64;
constexpr std::size_t route_max_bytes = 200;
constexpr double rate_min = 1e-6;
constexpr double rate_max = 1e6;
constexpr std::int64_t tokens_max = 1'000'000'000;
constexpr milliseconds lease_ttl_min{10};
constexpr milliseconds lease_ttl_max{60'000};

error bad(std::string message) { return {errc::invalid_argument, std::move(message)}; }

template <class T>
using words = std::vector<std::pair<std::string_view, T>>;

const words<subject> subject_words{
    {"player", subject::player}, {"key", subject::key}, {"address", subject::address}};
const words<role> role_words{{"anonymous", role::anonymous},
                             {"player", role::player},
                             {"server", role::server},
                             {"admin", role::admin}};
const words<rate_outage> outage_words{
    {"local", rate_outage::local}, {"open", rate_outage::open}, {"closed", rate_outage::closed}};

template <class T>
std::string_view word_of(const words<T>& all, T value) {
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const auto& w) { return w.second == value; });
  return found == all.end() ? std::string_view{} : found->first;
}

template <class T>
result<T> parse_word(const words<T>& all, std::string_view text) {
  std::vector<std::string_view> allowed;
  for (const auto& [word, value] : all) {
    if (word == text) return value;
    allowed.push_back(word);
  }
  return bad(fmt::format("must be one of {}", fmt::join(allowed, ", ")));
}

// Items with `,` or `;` between.
std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const auto end = std::min(text.find_first_of(",;"), text.size());
    auto item = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    while (item.starts_with(' ')) item.remove_prefix(1);
    while (item.ends_with(' ')) item.remove_suffix(1);
    if (!item.empty()) out.emplace_back(item);
  }
  return out;
}

result<std::vector<role>> parse_roles(const std::vector<std::string>& names) {
  std::vector<role> out;
  for (const auto& name : names) {
    auto one = parse_word(role_words, name);
    if (!one) return one.error();
    if (std::find(out.begin(), out.end(), *one) == out.end()) out.push_back(*one);
  }
  return out;
}

// "20", "0.5", "300/m", "1000/h": per second.
std::optional<double> parse_rate(std::string_view text) {
  double divisor = 1;
  for (const auto& [unit, seconds] : words<double>{{"/s", 1}, {"/m", 60}, {"/h", 3600}}) {
    if (!text.ends_with(unit)) continue;
    divisor = seconds;
    text.remove_suffix(unit.size());
    break;
  }
  double number = 0;
  const auto* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, number);
  if (read.ec != std::errc() || read.ptr != end || !std::isfinite(number)) return std::nullopt;
  return number / divisor;
}

result<void> set_flag(bool& to, std::string_view text) {
  if (text != "true" && text != "false") return bad("must be true or false");
  to = text == "true";
  return {};
}

result<void> set_tokens(std::int64_t& to, std::string_view text) {
  const auto number = parse_natural(text);
  if (!number || *number > tokens_max)
    return bad(fmt::format("must be a whole number, 0 to {}", tokens_max));
  to = *number;
  return {};
}

result<void> set_rate(double& to, std::string_view text) {
  const auto rate = parse_rate(text);
  if (!rate || *rate < rate_min || *rate > rate_max)
    return bad("must be a rate: 20/s, 300/m or 1000/h; 0.000001 to 1000000 per second");
  to = *rate;
  return {};
}

template <class T>
result<void> set_word(T& to, const words<T>& all, std::string_view text) {
  auto parsed = parse_word(all, text);
  if (!parsed) return parsed.error();
  to = *parsed;
  return {};
}

struct field {
  std::string_view name;
  result<void> (*read)(request_policy&, std::string_view);
};

constexpr std::array fields{
    field{"routes",
          [](request_policy& p, std::string_view v) -> result<void> {
            p.routes = split_list(v);
            return {};
          }},
    field{"by",
          [](request_policy& p, std::string_view v) { return set_word(p.by, subject_words, v); }},
    field{"roles",
          [](request_policy& p, std::string_view v) -> result<void> {
            auto roles = parse_roles(split_list(v));
            if (!roles) return roles.error();
            p.roles = std::move(*roles);
            return {};
          }},
    field{"rate",
          [](request_policy& p, std::string_view v) { return set_rate(p.limit.rate_per_s, v); }},
    field{"burst",
          [](request_policy& p, std::string_view v) { return set_tokens(p.limit.burst, v); }},
    field{"lease", [](request_policy& p,
                      std::string_view v) { return set_tokens(p.limit.lease_tokens, v); }},
    field{"lease_ttl",
          [](request_policy& p, std::string_view v) -> result<void> {
            const auto ttl = parse_duration(v);
            if (!ttl) return bad("is not a duration; write it like 500ms or 1s");
            p.limit.lease_ttl = *ttl;
            return {};
          }},
    field{"on_outage",
          [](request_policy& p, std::string_view v) {
            return set_word(p.limit.on_outage, outage_words, v);
          }},
    field{"shadow",
          [](request_policy& p, std::string_view v) { return set_flag(p.limit.shadow, v); }},
    field{"enabled", [](request_policy& p, std::string_view v) { return set_flag(p.enabled, v); }},
};

const field* find_field(std::string_view name) {
  const auto found =
      std::find_if(fields.begin(), fields.end(), [&](const auto& f) { return f.name == name; });
  return found == fields.end() ? nullptr : &*found;
}

std::vector<std::string> field_names() {
  std::vector<std::string> out;
  for (const auto& f : fields) out.emplace_back(f.name);
  return out;
}

bool is_policy_name(std::string_view name) {
  return is_valid_id(name) && name.size() <= name_max_bytes &&
         name.find_first_of(".:") == std::string_view::npos;
}

// Whom a policy concerns that does not say so.
std::vector<role> usual_roles(subject by) {
  switch (by) {
    case subject::player: return {role::player};
    case subject::key: return {role::server};
    case subject::address: return {role::anonymous};
  }
  return {};
}

result<void> check_roles(const request_policy& p) {
  if (p.roles.empty()) return bad("roles must name at least one role");
  for (const auto r : p.roles) {
    const bool is_fine = p.by == subject::address ||
                         (p.by == subject::player && r == role::player) ||
                         (p.by == subject::key && r >= role::server);
    if (!is_fine)
      return bad(fmt::format("role {} cannot be limited by {}", word_of(role_words, r),
                             word_of(subject_words, p.by)));
  }
  return {};
}

result<void> check_whole(request_policy& p) {
  auto& l = p.limit;
  if (!is_policy_name(l.name))
    return bad(fmt::format("a name is 1 to {} of A-Z a-z 0-9 _ -", name_max_bytes));
  if (p.routes.empty() || p.routes.size() > routes_max)
    return bad(fmt::format("routes must be 1 to {} patterns", routes_max));
  for (const auto& r : p.routes)
    if (r.empty() || r.size() > route_max_bytes || r.find_first_of("\"\\,;") != std::string::npos)
      return bad(
          "routes must be patterns like `POST /api/sessions`, `/api/chat/*`, `WS chat` or `*`");
  const auto excludes = [](const std::string& r) { return r.starts_with('!'); };
  if (std::all_of(p.routes.begin(), p.routes.end(), excludes))
    return bad("routes must name what is limited, not only what is left out with `!`");
  if (l.rate_per_s < rate_min || l.rate_per_s > rate_max)
    return bad("rate must be 0.000001 to 1000000 per second");
  if (l.burst < 1 || l.burst > tokens_max)
    return bad(fmt::format("burst must be 1 to {}", tokens_max));
  if (!fills_in_time(l)) {
    const std::chrono::duration<double> most = rate_fill_max;
    const auto tokens = std::max(1.0, std::floor(l.rate_per_s * most.count()));
    return bad(
        fmt::format("burst must be at most what the rate gives in 366 days: {:.0f} here", tokens));
  }
  if (l.lease_tokens < 0) return bad("lease must be 0 or more");
  l.lease_tokens = std::min(l.lease_tokens, l.burst);
  if (l.lease_ttl < lease_ttl_min || l.lease_ttl > lease_ttl_max)
    return bad("lease_ttl must be 10ms to 1m");
  return check_roles(p);
}

// `pattern` without `!`.
bool fits_one(std::string_view pattern, std::string_view method, std::string_view name) {
  if (pattern == "*") return method != "EVENT";
  if (const auto space = pattern.find(' '); space != std::string_view::npos) {
    if (pattern.substr(0, space) != method) return false;
    pattern.remove_prefix(space + 1);
  } else if (!name.starts_with('/')) {
    return false;  // a message or an event
  }
  if (pattern.ends_with('*')) return name.starts_with(pattern.substr(0, pattern.size() - 1));
  return pattern == name;
}

// "logins.burst" in its two halves; an error for anything else.
result<std::pair<std::string, const field*>> parse_key(std::string_view key) {
  const auto dot = key.find('.');
  const auto name = key.substr(0, dot);
  if (dot == std::string_view::npos || !is_policy_name(name))
    return bad(fmt::format("`{}` must be a policy and a field, like `logins.burst`", key));
  const auto* f = find_field(key.substr(dot + 1));
  if (f) return std::pair{std::string(name), f};
  std::vector<std::string> keys;
  for (const auto& known : field_names()) keys.push_back(fmt::format("{}.{}", name, known));
  const auto best = nearest(key, keys);
  return bad(fmt::format("`{}` is unknown; {}", key,
                         best.empty()
                             ? fmt::format("the fields are {}", fmt::join(field_names(), ", "))
                             : fmt::format("did you mean `{}`?", best)));
}

json::array to_json_array(const std::vector<std::string>& texts) {
  json::array out;
  for (const auto& t : texts) out.emplace_back(t);
  return out;
}

std::optional<std::vector<std::string>> texts_of(const json::value* v) {
  if (!v || !v->is_array()) return std::nullopt;
  std::vector<std::string> out;
  for (const auto& item : v->get_array())
    if (const auto* text = item.if_string()) out.emplace_back(*text);
  return out;
}

}  // namespace

bool fits(const std::vector<std::string>& routes, std::string_view method, std::string_view name) {
  bool is_in = false;
  for (const std::string_view r : routes) {
    const bool excludes = r.starts_with('!');
    if (!fits_one(excludes ? r.substr(1) : r, method, name)) continue;
    if (excludes) return false;
    is_in = true;
  }
  return is_in;
}

std::vector<request_policy> default_policies() {
  request_policy logins{{.name = "logins", .rate_per_s = 20, .burst = 2'000},
                        {"POST /api/sessions", "PUT /api/players/{id}/password"},
                        subject::address,
                        {role::anonymous, role::player}};
  // The status lies ready as bytes: limiting it would cost more than answering.
  request_policy anonymous{
      {.name = "anonymous", .rate_per_s = 500, .burst = 10'000, .lease_tokens = 20},
      {"*", "!GET /server/status", "!GET /api/server/status"},
      subject::address,
      {role::anonymous}};
  request_policy players{{.name = "players", .rate_per_s = 100, .burst = 1'000, .lease_tokens = 10},
                         {"*"},
                         subject::player,
                         {role::player}};
  // Live messages have settings of their own (chat.key_rate).
  request_policy chat_events{{.name = "chat-events", .rate_per_s = 1'000, .burst = 10'000},
                             {"EVENT chat"},
                             subject::key,
                             {role::server}};
  return {std::move(logins), std::move(anonymous), std::move(players), std::move(chat_events)};
}

result<void> check_setting(std::string_view key, std::string_view value) {
  const auto parsed = parse_key(key);
  if (!parsed) return parsed.error();
  request_policy ignored;
  if (auto read = parsed->second->read(ignored, value); !read)
    return bad(fmt::format("`{}` {}", key, read.error().message));
  return {};
}

result<std::vector<request_policy>> configured_policies(const setting_list& settings) {
  auto out = default_policies();
  const auto defaults = out.size();
  for (const auto& [key, value] : settings) {
    const auto parsed = parse_key(key);
    if (!parsed) return parsed.error();
    auto found = std::find_if(out.begin(), out.end(),
                              [&](const auto& p) { return p.limit.name == parsed->first; });
    if (found == out.end()) {
      out.emplace_back().limit.name = parsed->first;
      out.back().limit.burst = 0;  // has to be set
      out.back().limit.rate_per_s = 0;
      found = out.end() - 1;
    }
    if (auto read = parsed->second->read(*found, value); !read)
      return bad(fmt::format("`{}` {}", key, read.error().message));
  }
  if (out.size() > policies_max) return bad(fmt::format("there may be {} policies", policies_max));
  std::vector<std::string> known;
  for (std::size_t i = 0; i < defaults; ++i) known.push_back(out[i].limit.name);
  for (auto& p : out) {
    if (p.roles.empty()) p.roles = usual_roles(p.by);
    const auto whole = check_whole(p);
    if (whole) continue;
    const auto best = nearest(p.limit.name, known);
    return bad(fmt::format(
        "`{}`: {}{}", p.limit.name, whole.error().message,
        best.empty() || best == p.limit.name ? "" : fmt::format("; did you mean `{}`?", best)));
  }
  return out;
}

json::object to_json(const request_policy& p) {
  json::array roles;
  for (const auto r : p.roles) roles.emplace_back(word_of(role_words, r));
  return {{"name", p.limit.name},
          {"routes", to_json_array(p.routes)},
          {"by", word_of(subject_words, p.by)},
          {"roles", std::move(roles)},
          {"rate_per_s", p.limit.rate_per_s},
          {"burst", p.limit.burst},
          {"lease_tokens", p.limit.lease_tokens},
          {"lease_ttl_ms", p.limit.lease_ttl.count()},
          {"on_outage", word_of(outage_words, p.limit.on_outage)},
          {"shadow", p.limit.shadow},
          {"enabled", p.enabled}};
}

result<request_policy> from_json(const json::object& members, request_policy base) {
  auto p = std::move(base);
  const auto text = [&](std::string_view name) -> std::optional<std::string> {
    const auto* v = members.if_contains(name);
    return v && v->is_string() ? std::optional(std::string(v->get_string())) : std::nullopt;
  };
  const auto integer = [&](std::string_view name, std::int64_t& to) {
    const auto* v = members.if_contains(name);
    if (v && v->is_int64()) to = v->get_int64();
  };
  const auto flag = [&](std::string_view name, bool& to) {
    const auto* v = members.if_contains(name);
    if (v && v->is_bool()) to = v->get_bool();
  };
  if (auto routes = texts_of(members.if_contains("routes"))) p.routes = std::move(*routes);
  if (const auto by = text("by")) {
    const auto before = p.by;
    if (auto read = set_word(p.by, subject_words, *by); !read)
      return bad("by " + read.error().message);
    if (p.by != before) p.roles.clear();
  }
  if (const auto names = texts_of(members.if_contains("roles"))) {
    auto roles = parse_roles(*names);
    if (!roles) return bad("roles: each " + roles.error().message);
    p.roles = std::move(*roles);
  } else if (p.roles.empty()) {
    p.roles = usual_roles(p.by);
  }
  if (const auto* rate = members.if_contains("rate_per_s"); rate && rate->is_number())
    p.limit.rate_per_s = rate->to_number<double>();
  integer("burst", p.limit.burst);
  integer("lease_tokens", p.limit.lease_tokens);
  std::int64_t ttl_ms = p.limit.lease_ttl.count();
  integer("lease_ttl_ms", ttl_ms);
  p.limit.lease_ttl = milliseconds{ttl_ms};
  if (const auto outage = text("on_outage"))
    if (auto read = set_word(p.limit.on_outage, outage_words, *outage); !read)
      return bad("on_outage " + read.error().message);
  flag("shadow", p.limit.shadow);
  flag("enabled", p.enabled);
  if (auto whole = check_whole(p); !whole) return whole.error();
  return p;
}

}  // namespace skirmish::request_limits
