#include "diagnostics/backends.hpp"

#include "core/log.hpp"
#include "db/soci.hpp"

#include <algorithm>
#include <array>
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

std::int64_t ms_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() -
                                                               start)
      .count();
}

}  // namespace

awaitable<json::object> about_redis(redis::client& redis, bool is_embedded) {
  std::string info;
  json::value slow_log_length = nullptr;
  json::value answer_ms = nullptr;
  bool is_reachable = false;
  try {
    const auto start = std::chrono::steady_clock::now();
    redis::request commands;
    commands.push("PING");
    commands.push("INFO");
    commands.push("SLOWLOG", "LEN");
    const auto replies = co_await redis.exec(std::move(commands));
    answer_ms = ms_since(start);
    is_reachable = !replies[0].is_error();
    // A hosted Redis may refuse these two.
    if (!replies[1].is_error()) info = replies[1].as_string();
    if (const auto n = replies[2].as_integer(); n) slow_log_length = *n;
  } catch (const failure& e) {
    log::debug("redis_not_asked", {{"error", e.what()}});
  }
  json::object out{{"is_reachable", is_reachable}, {"is_embedded", is_embedded}};
  out["answer_ms"] = std::move(answer_ms);
  for (const auto& f : facts) out[f.name] = value_of(info, f);
  out["slow_log_length"] = std::move(slow_log_length);
  co_return out;
}

awaitable<json::object> about_sql(database& db) {
  const auto kind = db.kind();
  json::value version = nullptr;
  json::value answer_ms = nullptr;
  bool is_reachable = false;
  try {
    const auto start = std::chrono::steady_clock::now();
    auto ask = [kind](soci::session& sql) {
      std::string text;
      if (kind == sql_kind::sqlite)
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
  co_return out;
}

}  // namespace skirmish::diagnostics
