#include "audit/audit.hpp"

#include "audit/audit_keys.hpp"
#include "core/ids.hpp"
#include "core/json_text.hpp"
#include "core/log.hpp"
#include "core/parse.hpp"
#include "core/text.hpp"
#include "db/soci.hpp"
#include "redis/lease.hpp"

#include <boost/asio/cancel_after.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/json/object.hpp>
#include <boost/system/system_error.hpp>
#include <fmt/format.h>

#include <map>

namespace skirmish::audit {
namespace {

using namespace std::chrono_literals;
namespace json = boost::json;

const redis::script note_script{
    "audit/note",
#include "audit/note.lua.inc"
};

constexpr std::size_t reason_max_chars = 2'000;  // that an operator gave for a change

// How long a change waits for Redis before its note goes to SQL.
constexpr redis::exec_options redis_patience{300ms};
constexpr std::string_view in_sql = "sql:";  // in front of the id of a note that SQL has

constexpr auto move_interval = 500ms;
constexpr auto lease_ttl = 3s;
constexpr int moved_at_once = 200;
constexpr int turns_between_drops = 120;
constexpr int dropped_at_once = 1'000;
constexpr std::chrono::milliseconds drop_patience{2'000};

// Ids sort as their times do.
std::string id_at(timestamp t) { return fmt::format("{:015}", t.time_since_epoch().count()); }

std::string target_of(const http::exchange& x) {
  json::object out;
  for (const auto& [name, value] : x.path_parameters) out[name] = value;
  if (const auto* body = x.body.if_object())
    if (const auto* reason = body->if_contains("reason");
        reason && reason->is_string() && count_characters(reason->get_string()) <= reason_max_chars)
      out["reason"] = *reason;
  return json_text_of(out);
}

change change_of(const http::exchange& x, std::string method, std::string route, timestamp now) {
  change c;
  c.id = id_at(now) + "-" + random_hex(4);
  c.at = now;
  c.key_id = x.who.id;
  c.method = std::move(method);
  c.route = std::move(route);
  c.target = target_of(x);
  c.request_id = x.request_id;
  c.address = x.req.remote_address;
  return c;
}

// Once, whoever tries how often.
void insert(soci::session& sql, const change& c) {
  int found = 0;
  sql << "SELECT COUNT(*) FROM audit_log WHERE audit_id = :id", soci::use(c.id), soci::into(found);
  if (found != 0) return;
  sql << "INSERT INTO audit_log (audit_id, at, key_id, method, route, target, request_id, address) "
         "VALUES (:id, :at, :key, :method, :route, :target, :request, :address)",
      soci::use(c.id), soci::use(c.at), soci::use(c.key_id), soci::use(c.method),
      soci::use(c.route), soci::use(c.target), soci::use(c.request_id), soci::use(c.address);
}

void set_status(soci::session& sql, const std::string& id, int status) {
  sql << "UPDATE audit_log SET status = :status WHERE audit_id = :id", soci::use(status),
      soci::use(id);
}

// An entry of audit@pending: a change, or how one ended.
struct pending_entry {
  change what;
  std::optional<int> status;
};

pending_entry read_entry(const redis::value& fields) {
  std::map<std::string, std::string, std::less<>> f;
  for (auto& [name, value] : fields.as_pairs()) f.emplace(name, value);
  pending_entry out;
  auto& c = out.what;
  c.id = f["id"];
  if (const auto status = parse_integer(f["status"])) out.status = static_cast<int>(*status);
  c.at = timestamp{std::chrono::milliseconds{parse_integer(f["at"]).value_or(0)}};
  c.key_id = f["key_id"];
  c.method = f["method"];
  c.route = f["route"];
  c.target = f["target"];
  c.request_id = f["request_id"];
  c.address = f["address"];
  return out;
}

change read_row(const soci::row& row) {
  change c;
  c.id = row.get<std::string>(0);
  c.at = timestamp{std::chrono::milliseconds{row.get<long long>(1)}};
  c.key_id = row.get<std::string>(2);
  c.method = row.get<std::string>(3);
  c.route = row.get<std::string>(4);
  c.target = row.get<std::string>(5);
  c.request_id = row.get<std::string>(6);
  c.address = row.get<std::string>(7);
  if (row.get_indicator(8) == soci::i_ok) c.status = row.get<int>(8);
  if (row.get_indicator(9) == soci::i_ok) c.label = row.get<std::string>(9);
  return c;
}

// False when too many wait to be moved to SQL.
awaitable<bool> note_in(redis::client& redis, const redis::key_space& space, const change& c) {
  const auto key = pending_key(space);
  const auto most = std::to_string(log::pending_limit);
  const auto at = std::to_string(c.at.time_since_epoch().count());
  const std::string_view keys[] = {key};
  const std::string_view args[] = {most,      "id",     c.id,     "at",         at,
                                   "key_id",  c.key_id, "method", c.method,     "route",
                                   c.route,   "target", c.target, "request_id", c.request_id,
                                   "address", c.address};
  const auto reply = redis::checked(co_await redis.eval(note_script, keys, args, redis_patience));
  co_return reply.as_bool();
}

}  // namespace

awaitable<std::string> note_command(redis::client& redis, const redis::key_space& keys, change c) {
  c.at = system_clock().now();
  c.id = id_at(c.at) + "-" + random_hex(4);
  const bool is_noted = co_await note_in(redis, keys, c);
  if (!is_noted) throw failure(errc::unavailable, "the audit log takes no note");
  co_return c.id;
}

awaitable<void> note_status(redis::client& redis, const redis::key_space& keys, std::string note,
                            int status) {
  redis::checked(
      co_await redis.command("XADD", pending_key(keys), "*", "id", note, "status", status));
}

awaitable<page> list(db::database& db, filter f) {
  auto select = [f](soci::session& sql) {
    page out;
    const auto from = f.since ? id_at(*f.since) : std::string();
    const auto before = f.cursor.empty() ? std::string("~") : f.cursor;
    const long long rows_max = f.limit + 1;
    const soci::rowset<soci::row> rows =
        (sql.prepare
             << "SELECT a.audit_id, a.at, a.key_id, a.method, a.route, a.target, a.request_id, "
                "a.address, a.status, k.label FROM audit_log a LEFT JOIN api_keys k ON k.key_id = "
                "a.key_id WHERE a.audit_id < :before AND a.audit_id >= :from AND (:all_keys = '' "
                "OR "
                "a.key_id = :key) AND (:all_routes = '' OR a.route = :route) ORDER BY a.audit_id "
                "DESC LIMIT :most",
         soci::use(before), soci::use(from), soci::use(f.key_id), soci::use(f.key_id),
         soci::use(f.route), soci::use(f.route), soci::use(rows_max));
    for (const auto& row : rows) {
      out.more = static_cast<std::int64_t>(out.items.size()) == f.limit;
      if (out.more) break;
      out.items.push_back(read_row(row));
    }
    return out;
  };
  co_return co_await db.read(std::move(select));
}

awaitable<std::string> log::begin(const http::exchange& x, http::verb method, std::string pattern) {
  auto c = change_of(x, std::string(http::to_string(method)), std::move(pattern), clock_.now());
  co_return co_await note(std::move(c));
}

awaitable<void> log::note_socket(const http::exchange& x) {
  auto c = change_of(x, "WEBSOCKET", x.req.path, clock_.now());
  auto noted = co_await note(std::move(c));
  co_await end(std::move(noted), 101);
}

awaitable<std::string> log::note(change c) {
  bool is_noted = false;
  try {
    is_noted = co_await note_in_redis(c);
  } catch (const failure& e) {
    skirmish::log::debug("audit_not_in_redis", {{"error", e.what()}});
  }
  if (is_noted) co_return c.id;
  try {
    auto write = [c](soci::session& sql) {
      insert(sql, c);
      return true;
    };
    co_await db_.transaction(std::move(write), db::retry::safe);
  } catch (const failure& e) {
    throw failure(errc::unavailable, std::string("the audit log takes no note: ") + e.what());
  }
  co_return std::string(in_sql) + c.id;
}

awaitable<bool> log::note_in_redis(const change& c) {
  co_return co_await note_in(redis_, keys_, c);
}

awaitable<void> log::end(std::string note, int status) {
  try {
    if (note.starts_with(in_sql)) {
      auto write = [id = note.substr(in_sql.size()), status](soci::session& sql) {
        set_status(sql, id, status);
        return true;
      };
      co_await db_.run(std::move(write), db::retry::safe);
    } else {
      redis::request r;
      r.push("XADD", pending_key(keys_), "*", "id", note, "status", status);
      redis::checked(co_await redis_.exec(std::move(r), redis_patience));
    }
  } catch (const failure& e) {
    // The change itself is noted.
    skirmish::log::warn("audit_status_not_noted", {{"audit_id", note}, {"error", e.what()}});
  }
}

// True when there is more to move.
awaitable<bool> log::move_some() {
  const auto key = pending_key(keys_);
  const auto found =
      redis::checked(co_await redis_.command("XRANGE", key, "-", "+", "COUNT", moved_at_once));
  if (found.size() == 0) co_return false;
  std::vector<pending_entry> entries;
  redis::request remove;
  std::vector<std::string> ids{key};
  for (const auto& one : found.elements()) {
    ids.push_back(one[0].as_string());
    entries.push_back(read_entry(one[1]));
  }
  auto write = [entries](soci::session& sql) {
    for (const auto& e : entries) {
      if (e.status)
        set_status(sql, e.what.id, *e.status);
      else
        insert(sql, e.what);
    }
    return true;
  };
  co_await db_.transaction(std::move(write), db::retry::safe);
  remove.push_range("XDEL", ids);
  redis::checked(co_await redis_.exec(std::move(remove)));
  co_return found.size() == static_cast<std::size_t>(moved_at_once);
}

// The oldest ones first and some at a time, so that the table is never locked for long.
awaitable<bool> log::drop_old(std::chrono::milliseconds keep) {
  auto drop = [oldest = id_at(clock_.now() - keep)](soci::session& sql) {
    std::optional<std::string> last;
    const int most = dropped_at_once;
    sql << "SELECT MAX(audit_id) FROM (SELECT audit_id FROM audit_log WHERE audit_id < :oldest "
           "ORDER BY audit_id LIMIT :most) AS oldest_ones",
        soci::use(oldest), soci::use(most), soci::into(last);
    if (last) sql << "DELETE FROM audit_log WHERE audit_id <= :last", soci::use(*last);
    return last.has_value();
  };
  const auto ask = [this, &drop] { return db_.run(drop, db::retry::safe); };
  const auto executor = co_await asio::this_coro::executor;
  try {
    const bool has_dropped =
        co_await asio::co_spawn(executor, ask, asio::cancel_after(drop_patience, use_awaitable));
    co_return has_dropped;
  } catch (const boost::system::system_error&) {
    // SQL goes on with it; what is pending must not wait for that.
    skirmish::log::warn("audit_drop_slow", {{"waited_ms", drop_patience.count()}});
  }
  co_return false;
}

awaitable<void> log::run_mover(std::chrono::milliseconds keep) {
  redis::lease mine(redis_, lease_key(keys_), lease_ttl);
  int turns = 1;  // at the start the table may not be there yet
  bool has_old = false;
  auto work = [this, keep, &turns, &has_old]() -> awaitable<bool> {
    if (turns++ % turns_between_drops == 0 || has_old) has_old = co_await drop_old(keep);
    co_return co_await move_some();
  };
  co_await redis::run_led(redis_, mine, move_interval, "audit_mover", work);
}

}  // namespace skirmish::audit
