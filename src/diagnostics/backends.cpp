#include "diagnostics/backends.hpp"

#include "core/clock.hpp"
#include "core/log.hpp"
#include "core/utf8.hpp"
#include "db/soci.hpp"

#include <boost/json/array.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace skirmish::diagnostics {
namespace {

namespace json = boost::json;

// The value of `name` in the answer to INFO; empty when it is not there.
std::string_view field_of(std::string_view info, std::string_view name) {
  while (!info.empty()) {
    const auto end = std::min(info.find("\r\n"), info.size());
    const auto line = info.substr(0, end);
    info.remove_prefix(std::min(end + 2, info.size()));
    if (line.size() > name.size() && line.starts_with(name) && line[name.size()] == ':')
      return line.substr(name.size() + 1);
  }
  return {};
}

constexpr int slow_log_limit = 20;

enum class form { text, number, yes_if_ok };

struct fact {
  std::string_view name;  // ours
  std::string_view of;    // Redis'
  form as;
};

constexpr std::array<fact, 16> facts{{
    {"version", "redis_version", form::text},
    {"mode", "redis_mode", form::text},
    {"uptime_s", "uptime_in_seconds", form::number},
    {"used_memory", "used_memory", form::number},
    {"peak_memory", "used_memory_peak", form::number},
    {"limit_memory", "maxmemory", form::number},
    {"eviction", "maxmemory_policy", form::text},
    {"clients", "connected_clients", form::number},
    {"blocked_clients", "blocked_clients", form::number},
    {"commands_per_s", "instantaneous_ops_per_sec", form::number},
    {"evicted_keys", "evicted_keys", form::number},
    {"role", "role", form::text},
    {"replicas", "connected_slaves", form::number},
    {"keeps_aof", "aof_enabled", form::number},
    {"last_save_ok", "rdb_last_bgsave_status", form::yes_if_ok},
    {"unsaved_changes", "rdb_changes_since_last_save", form::number},
}};

json::value value_of(std::string_view info, const fact& f) {
  const auto text = field_of(info, f.of);
  if (text.empty()) return nullptr;
  if (f.as == form::text) return json::string(text);
  if (f.as == form::yes_if_ok) return text == "ok";
  const auto n = redis::value(std::string(text)).as_integer();
  return n ? json::value(*n) : json::value(nullptr);
}

// The name of the command and its first key: arguments may hold what is nobody's business.
// `call`: the command and its arguments, as SLOWLOG GET cuts them.
std::string command_text(const redis::value& call) {
  constexpr std::size_t shown_bytes = 80;
  if (call.size() == 0) return {};
  auto out = clean_text(call[0].as_string(), shown_bytes);
  auto upper = out;
  for (auto& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  // Credentials and settings of Redis have no key.
  if (upper == "AUTH" || upper == "HELLO" || upper == "ACL" || upper == "CONFIG") return out;
  // Scripts and functions: what is called, the number of keys, keys.
  const bool is_script = upper.starts_with("EVAL") || upper.starts_with("FCALL");
  const std::size_t key = is_script ? 3 : 1;
  if (call.size() <= key || (is_script && call[2].as_integer().value_or(0) == 0)) return out;
  return out + ' ' + clean_text(call[key].as_string(), shown_bytes);
}

// The newest first, as Redis has them.
json::array slow_log_of(const redis::value& entries) {
  json::array out;
  for (const auto& e : entries.elements()) {
    if (e.size() < 4) continue;
    const timestamp at{std::chrono::seconds{e[1].as_integer().value_or(0)}};
    out.push_back(json::object{{"at", to_rfc3339(at)},
                               {"duration_ms", e[2].as_double().value_or(0) / 1'000},
                               {"command", command_text(e[3])}});
  }
  return out;
}

std::int64_t ms_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() -
                                                               start)
      .count();
}

}  // namespace

awaitable<json::object> about_redis(redis::client& redis, bool is_embedded) {
  std::string info;
  json::value slow_log = nullptr;
  json::value answer_ms = nullptr;
  bool is_reachable = false;
  try {
    const auto start = std::chrono::steady_clock::now();
    redis::request commands;
    commands.push("PING");
    commands.push("INFO");
    commands.push("SLOWLOG", "GET", slow_log_limit);
    const auto replies = co_await redis.exec(std::move(commands));
    answer_ms = ms_since(start);
    is_reachable = !replies[0].is_error();
    // A hosted Redis may refuse these two.
    if (!replies[1].is_error()) info = replies[1].as_string();
    if (!replies[2].is_error()) slow_log = slow_log_of(replies[2]);
  } catch (const failure& e) {
    log::debug("redis_not_asked", {{"error", e.what()}});
  }
  json::object out{{"is_reachable", is_reachable}, {"is_embedded", is_embedded}};
  out["answer_ms"] = std::move(answer_ms);
  for (const auto& f : facts) out[f.name] = value_of(info, f);
  out["slow_log"] = std::move(slow_log);
  co_return out;
}

awaitable<json::object> about_sql(db::database& db) {
  const auto kind = db.kind();
  json::value version = nullptr;
  json::value answer_ms = nullptr;
  bool is_reachable = false;
  try {
    const auto start = std::chrono::steady_clock::now();
    auto ask = [kind](soci::session& sql) {
      std::string text;
      if (kind == db::sql_kind::sqlite)
        sql << "SELECT sqlite_version()", soci::into(text);
      else
        sql << "SELECT VERSION()", soci::into(text);
      return text;
    };
    auto text = co_await db.read(std::move(ask));
    answer_ms = ms_since(start);
    version = json::string(text);
    is_reachable = true;
  } catch (const failure& e) {
    log::debug("sql_not_asked", {{"error", e.what()}});
  }
  json::object out{{"is_reachable", is_reachable}, {"kind", to_string(kind)}};
  out["version"] = std::move(version);
  out["answer_ms"] = std::move(answer_ms);
  out["sessions"] = db.config().sessions;
  out["statement_timeout_ms"] = db.config().statement_timeout.count();
  co_return out;
}

}  // namespace skirmish::diagnostics
