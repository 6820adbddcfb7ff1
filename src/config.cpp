#include "config.hpp"

#include "core/comma_list.hpp"
#include "core/ids.hpp"
#include "core/parse.hpp"
#include "game_servers/server_settings.hpp"
#include "request_limits/request_policy.hpp"
#include "secrets.hpp"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cctype>
#include <fstream>

extern char** environ;

namespace skirmish {
namespace {

error bad(std::string message) { return {errc::invalid_argument, std::move(message)}; }

std::string env_name(std::string_view name) {
  std::string out = "SKIRMISH_";
  for (const char c : name)
    out += c == '.' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return out;
}

using entry_list = std::vector<std::pair<std::string, std::string>>;
// What a table asks of its entries.
struct entry_rules {
  std::size_t max = 64;
  result<void> (*check)(std::string_view key, std::string_view value) = nullptr;
};

// Adds an entry, or replaces the one of that name; an empty value removes it.
result<void> put_entry(entry_list& list, std::string_view key, std::string_view value,
                       entry_rules rules) {
  if (!is_valid_id(key)) return bad(fmt::format("has a wrong name: `{}`", key));
  const auto found =
      std::find_if(list.begin(), list.end(), [&](const auto& entry) { return entry.first == key; });
  if (value.empty()) {
    if (found != list.end()) list.erase(found);
    return {};
  }
  if (rules.check)
    if (auto fine = rules.check(key, value); !fine) return fine;
  if (found != list.end()) {
    found->second = value;
    return {};
  }
  if (list.size() == rules.max) return bad(fmt::format("has more than {} entries", rules.max));
  list.emplace_back(key, value);
  return {};
}

result<entry_list> parse_entries(std::string_view text, entry_rules rules) {
  entry_list out;
  while (!text.empty()) {
    const auto item = take_item(text);
    if (item.empty()) continue;
    const auto equals = item.find('=');
    if (equals == std::string_view::npos)
      return bad("must be entries `name=value` with commas between");
    auto put =
        put_entry(out, trimmed(item.substr(0, equals)), trimmed(item.substr(equals + 1)), rules);
    if (!put) return put.error();
  }
  return out;
}

// Builds the table. Each helper binds a setting to its field through an accessor, so the field is
// named once.
class table_builder {
 public:
  template <class Access>
  setting& text(std::string name, Access access, std::string help) {
    return add(
        std::move(name), std::move(help),
        [access](config& c, std::string_view v) -> result<void> {
          access(c) = std::string(v);
          return {};
        },
        [access](const config& c) { return access(const_cast<config&>(c)); });
  }

  template <class Access>
  setting& number(std::string name, Access access, std::int64_t low, std::int64_t high,
                  std::string help,
                  std::optional<std::int64_t> (*parse)(std::string_view) noexcept = parse_integer) {
    help += fmt::format(" ({} to {})", low, high);
    return add(
        std::move(name), std::move(help),
        [=](config& c, std::string_view v) -> result<void> {
          const auto parsed = parse(v);
          if (!parsed) return bad("is not a whole number");
          if (*parsed < low || *parsed > high)
            return bad(fmt::format("must be {} to {}", low, high));
          access(c) = *parsed;
          return {};
        },
        [access](const config& c) { return std::to_string(access(const_cast<config&>(c))); });
  }

  template <class Access>
  setting& bytes(std::string name, Access access, std::int64_t low, std::int64_t high,
                 std::string help) {
    return number(std::move(name), access, low, high, std::move(help), parse_bytes);
  }

  template <class Access>
  setting& duration(std::string name, Access access, std::chrono::milliseconds low,
                    std::chrono::milliseconds high, std::string help) {
    help += fmt::format(" ({} to {})", to_text(low), to_text(high));
    return add(
        std::move(name), std::move(help),
        [=](config& c, std::string_view v) -> result<void> {
          const auto parsed = parse_duration(v);
          if (!parsed) return bad("is not a duration; write it like 500ms, 30s, 10m or 24h");
          if (*parsed < low || *parsed > high)
            return bad(fmt::format("must be {} to {}", to_text(low), to_text(high)));
          access(c) = *parsed;
          return {};
        },
        [access](const config& c) { return to_text(access(const_cast<config&>(c))); });
  }

  template <class Access>
  setting& flag(std::string name, Access access, std::string help) {
    return add(
        std::move(name), std::move(help),
        [access](config& c, std::string_view v) -> result<void> {
          if (v != "true" && v != "false") return bad("must be true or false");
          access(c) = v == "true";
          return {};
        },
        [access](const config& c) -> std::string {
          return access(const_cast<config&>(c)) ? "true" : "false";
        });
  }

  // Names and values, in order: `name=value, …` in one text, `<setting>.<name>` one by one.
  template <class Access>
  setting& table(std::string name, Access access, std::string help, entry_rules rules = {}) {
    auto& made = add(
        std::move(name), std::move(help),
        [access, rules](config& c, std::string_view v) -> result<void> {
          auto entries = parse_entries(v, rules);
          if (!entries) return entries.error();
          access(c) = std::move(*entries);
          return {};
        },
        [access](const config& c) {
          std::string out;
          for (const auto& [key, value] : access(const_cast<config&>(c)))
            out += fmt::format("{}{}={}", out.empty() ? "" : ", ", key, value);
          return out;
        });
    made.read_entry = [access, rules](config& c, std::string_view key, std::string_view v) {
      return put_entry(access(c), key, v, rules);
    };
    return made;
  }

  std::vector<setting> take() { return std::move(all_); }

 private:
  setting& add(std::string name, std::string help,
               std::function<result<void>(config&, std::string_view)> read,
               std::function<std::string(const config&)> show) {
    auto variable = env_name(name);
    all_.push_back({std::move(name),
                    {std::move(variable)},
                    std::move(help),
                    false,
                    std::move(read),
                    std::move(show),
                    {}});
    return all_.back();
  }

  std::vector<setting> all_;
};

#define FIELD(path) [](config& c) -> auto& { return c.path; }

// One line a setting.
std::vector<setting> build_settings() {  // NOLINT(readability-function-size)
  using namespace std::chrono_literals;
  table_builder t;
  t.text("server.world", FIELD(server.world),
         "tag before every Redis key; empty for the default world");
  t.text("server.data_dir", FIELD(server.data_dir),
         "directory of admin.key, the embedded Redis and SQLite");
  t.number("server.threads", FIELD(server.threads), 0, 256, "server threads; 0 means one per core");
  t.text("server.log_level", FIELD(server.log_level), "debug, info, warn, error or off");
  t.text("http.listen", FIELD(http.listen), "address:port to listen on; port 0 picks a free one");
  t.text("http.tls_listen", FIELD(http.tls_listen),
         "address:port to listen on for https and wss, beside http.listen; empty: none");
  t.text("http.tls_certificate_file", FIELD(http.tls_certificate),
         "PEM file of the certificate and its chain; read again when it changes and on SIGHUP");
  t.text("http.tls_key_file", FIELD(http.tls_key), "PEM file of the certificate's private key");
  t.bytes("http.body_limit", FIELD(http.body_limit_bytes), 1 << 10, 1 << 30,
          "largest request body, bytes");
  t.bytes("http.anonymous_limit", FIELD(http.anonymous_limit_bytes), 1 << 10, 64 << 20,
          "largest request body or WebSocket message of a caller without a key, bytes");
  t.bytes("http.header_limit", FIELD(http.header_limit_bytes), 1 << 10, 1 << 20,
          "largest request header, bytes");
  t.number("http.connection_limit", FIELD(http.connection_limit), 1, 1'000'000, "open connections");
  t.number(
      "http.connections_per_address", FIELD(http.connections_per_address), 0, 1'000'000,
      "open connections from one address (of IPv6: from one /64 network) that is no trusted proxy; "
      "0: no limit");
  t.text("http.trusted_proxies", FIELD(http.trusted_proxies),
         "addresses and networks (10.0.0.0/8) of proxies whose X-Forwarded-For says who a client "
         "is, with commas between");
  t.flag(
      "http.proxy_protocol", FIELD(http.proxy_protocol),
      "the proxies of http.trusted_proxies send a PROXY header (version 1 or 2) in front of each "
      "connection, and nobody else does");
  t.duration("http.header_timeout", FIELD(http.header_timeout), 100ms, 1h,
             "time for a request's header to arrive");
  t.duration(
      "http.body_timeout", FIELD(http.body_timeout), 100ms, 1h,
      "time for a request's body, a WebSocket message or a part of an answer to get through");
  t.duration("http.idle_timeout", FIELD(http.idle_timeout), 1s, 24h,
             "how long an idle connection is kept");
  t.bytes("http.websocket_frame_limit", FIELD(http.websocket_frame_limit_bytes), 1 << 10, 64 << 20,
          "largest WebSocket message, bytes");
  t.bytes("http.websocket_queue_limit", FIELD(http.websocket_queue_limit_bytes), 1 << 10, 1 << 30,
          "unsent bytes at which a slow WebSocket reader is closed");
  t.bytes("http.buffer_budget", FIELD(http.buffer_budget_bytes), 1 << 20, std::int64_t{1} << 40,
          "bytes that all connections may hold together; callers without a key fill at most half");
  t.text("http.allowed_origins", FIELD(http.allowed_origins),
         "origins (https://console.example.com) whose pages may use a key here, besides the "
         "server's own; with commas between");
  auto& redis_url = t.text("redis.url", FIELD(redis.url),
                           "REDIS_URL; empty starts an embedded server in data_dir");
  redis_url.env.emplace_back("REDIS_URL");
  redis_url.secret = true;
  t.duration("redis.timeout", FIELD(redis.timeout), 10ms, 1min,
             "how long an answer of Redis is awaited");
  t.number("redis.queue_limit", FIELD(redis.queue_limit), 1, 10'000'000,
           "requests awaiting answers, per connection");
  t.number("redis.replicas_acked", FIELD(redis.replicas_acked), 0, 16,
           "replicas that must have an event before it is let go of: a failover to one of them "
           "loses nothing that was acknowledged; 0: the master alone");
  t.duration("redis.replica_lag_limit", FIELD(redis.replica_lag_limit), 100ms, 1h,
             "how far those replicas may be behind before new events are refused");
  auto& db_url =
      t.text("db.url", FIELD(db.url), "DB_URL; empty with an empty host means SQLite in data_dir");
  db_url.env.emplace_back("DB_URL");
  db_url.secret = true;
  t.text("db.host", FIELD(db.host), "MariaDB or MySQL host").env.emplace_back("DB_HOST");
  t.number("db.port", FIELD(db.port), 1, 65'535, "MariaDB or MySQL port")
      .env.emplace_back("DB_PORT");
  t.text("db.user", FIELD(db.user), "database user").env.emplace_back("DB_USER");
  auto& password = t.text("db.password", FIELD(db.password), "database password");
  password.env.emplace_back("DB_PASSWORD");
  password.secret = true;
  t.text("db.name", FIELD(db.name), "database name").env.emplace_back("DB_NAME");
  t.number("db.sessions", FIELD(db.sessions), 1, 256,
           "database sessions, and threads that use them");
  t.duration("db.statement_timeout", FIELD(db.statement_timeout), 100ms, 10min,
             "time limit of a statement");
  t.flag("db.migrate", FIELD(db.migrate), "apply pending migrations when the server starts");
  t.number("interactions.batch_limit", FIELD(interactions.batch_limit), 1, 100'000,
           "events in one request or commit");
  t.number("interactions.commit_limit", FIELD(interactions.commit_limit), 1, 100'000,
           "events in one commit");
  t.number("interactions.queue_limit", FIELD(interactions.queue_limit), 1, 10'000'000,
           "events awaiting a commit");
  t.number("interactions.log_limit", FIELD(interactions.log_limit), 0, 100'000'000,
           "entries kept in the stream `interactions`");
  t.duration(
      "interactions.log_age", FIELD(interactions.log_age), 0s, 90 * 24h,
      "how long entries are kept in the stream `interactions`; 0: as long as the limit lets");
  t.number("interactions.actions_limit", FIELD(interactions.actions_limit), 0, 1'000,
           "last actions kept per player");
  t.number("interactions.event_ids_limit", FIELD(interactions.event_ids_limit), 0, 100'000'000,
           "event ids remembered against repeats");
  t.duration("interactions.settle_within", FIELD(interactions.settle_within), 1s, 10min,
             "age of acknowledged writes from which on new events are slowed down until those are "
             "under their own keys");
  t.text("ingest.origin", FIELD(ingest.origin),
         "where the origin of game servers' maps lies: latitude,longitude");
  t.bytes(
      "ingest.body_limit", FIELD(ingest.body_limit_bytes), 16 << 10, 64 << 20,
      "largest request of a game server with lines of its log, bytes; http.body_limit holds too");
  t.number("ingest.servers_limit", FIELD(ingest.servers_limit), 1, 10'000,
           "game servers sending by HTTP whose state is kept in memory");
  t.text("ingest.udp_listen", FIELD(ingest.udp_listen),
         "address:port for the logs that game servers send by UDP; empty: none are received");
  t.bytes("ingest.udp_queue", FIELD(ingest.udp_queue_limit_bytes), 64 << 10, 1 << 30,
          "lines received by UDP that may wait, bytes");
  t.table("ingest.udp_servers", FIELD(ingest.udp_servers),
          "the game servers that may send by UDP: a table per server with secret (its "
          "sv_logsecret) and sources (addresses, address:port, networks, with spaces between)",
          {game_servers::servers_max * 2, game_servers::check_setting})
      .secret = true;
  t.duration("activity.slice", FIELD(activity.slice), 1s, 1h,
             "slices of the 24-hour window, whole seconds: what its edge is exact to");
  t.duration("activity.window", FIELD(activity.window), 2s, 7 * 24h,
             "what leaderboard:active looks back on");
  t.number("activity.sweeper", FIELD(activity.sweeper), 0, 1,
           "1: serve also seals and sweeps slices; 0: other servers do");
  t.duration("sessions.idle_ttl", FIELD(sessions.idle_ttl), 1min, 365 * 24h,
             "a player's session ends when it was not used for so long");
  t.duration("sessions.lifetime", FIELD(sessions.lifetime), 1min, 3650 * 24h,
             "and when it was opened so long ago");
  t.number("sessions.per_player", FIELD(sessions.per_player), 1, 1'000,
           "sessions of a player; the oldest ends when there are more");
  t.number("sessions.hash_threads", FIELD(sessions.hash_threads), 1, 64,
           "threads that check passwords; each uses 19 MiB while it does");
  t.text("sessions.issuers_file", FIELD(sessions.issuers_file),
         "JSON file of those whose tokens (JWT) open sessions; empty: nobody's");
  t.number("state.entries_limit", FIELD(state.entries_limit), 1, 1'000'000,
           "entries of a namespace of temporary state");
  t.bytes("state.bytes_limit", FIELD(state.bytes_limit), 1 << 16, 1LL << 40,
          "and their bytes together");
  t.number("state.player_entries_limit", FIELD(state.player_entries_limit), 1, 1'000'000,
           "entries of a player's own namespace");
  t.bytes("state.player_bytes_limit", FIELD(state.player_bytes_limit), 1 << 16, 1LL << 40,
          "and their bytes together");
  t.number("state.snapshots", FIELD(state.snapshots), 1, 100,
           "recovery snapshots kept per key of a game server; the oldest go");
  t.number("state.recovery_keys_limit", FIELD(state.recovery_keys_limit), 1, 10'000,
           "recovery keys of a game server");
  t.duration("state.recovery_ttl", FIELD(state.recovery_ttl), 1min, 3650 * 24h,
             "how long recovery snapshots are kept after the last one");
  t.duration("audit.keep", FIELD(audit.keep), 1h, 3650 * 24h,
             "how long the audit log keeps a change");
  t.duration("levels.popular_refresh", FIELD(levels.popular_refresh), 100ms, 1h,
             "how often the ten most popular levels are cached");
  t.text(
      "achievements.rules", FIELD(achievements.rules),
      "achievement, counter and threshold for each, with commas between; the counters are damage, "
      "kills, completions, level and chats");
  t.text("chat.channels", FIELD(chat.channels), "channels open to all, with commas between");
  t.number("chat.history_limit", FIELD(chat.history_limit), 1, 10'000'000,
           "messages kept a channel");
  t.duration("chat.history_ttl", FIELD(chat.history_ttl), 1min, 87'600h,
             "how long a channel's history is kept after its last message");
  t.number("chat.text_limit", FIELD(chat.text_limit_chars), 1, 4096, "longest message, characters");
  t.number("chat.rate", FIELD(chat.rate_per_s), 0, 1'000,
           "messages per second that a sender may send; 0: no limit");
  t.number("chat.burst", FIELD(chat.burst), 1, 10'000, "messages that a sender may send at once");
  t.number("chat.key_rate", FIELD(chat.key_rate_per_s), 0, 1'000'000,
           "messages per second that a game server's key may send, whoever speaks; 0: no limit");
  t.number("chat.key_burst", FIELD(chat.key_burst), 1, 1'000'000,
           "messages that a game server's key may send at once");
  t.flag("chat.announce", FIELD(chat.announce),
         "announce completions and achievements on the channel general too");
  t.number("status.refresher", FIELD(status.refresher), 0, 1,
           "1: serve also refreshes the status; 0: it only reads it");
  t.duration("status.update_interval", FIELD(status.update_interval), 5s, 24h,
             "how often the status is refreshed")
      .env.emplace_back("STATUS_UPDATE_INTERVAL");
  t.duration("status.cache_ttl", FIELD(status.cache_ttl), 5s, 7 * 24h,
             "life of the key server:status")
      .env.emplace_back("STATUS_CACHE_TTL");
  t.duration("status.fresh_grace", FIELD(status.fresh_grace), 0s, 24h,
             "a status is fresh while it is younger than the interval and this");
  t.duration("status.stale_after", FIELD(status.stale_after), 5s, 7 * 24h,
             "age of the status, or of the last scheduled refresh, from which /health says stale");
  t.text("status.probe", FIELD(status.probe),
         "the game server: a2s://, minecraft://, bedrock://, tcp://, http:// or "
         "https://host:port; empty: it is not asked")
      .secret = true;  // its path and query may hold a token
  t.table("status.probes", FIELD(status.probes),
          "more game servers, `name=url` with commas between, or a table of names and URLs")
      .secret = true;
  t.duration("status.probe_timeout", FIELD(status.probe_timeout), 50ms, 1min,
             "how long its answer is awaited");
  t.number("status.probe_failures", FIELD(status.probe_failures), 1, 100,
           "failed probes in a row until it counts as offline");
  t.duration("status.probe_retry", FIELD(status.probe_retry), 100ms, 1h,
             "time until the probe after a failed one");
  t.number("status.history_limit", FIELD(status.history_limit), 1, 10'000'000,
           "points kept of the history");
  t.duration("status.max_age", FIELD(status.max_age), 0s, 1h,
             "how long browsers and proxies may keep the status");
  t.text("status.cors_origins", FIELD(status.cors_origins),
         "origins whose pages may read the status and leaderboards (the widget), comma-separated, "
         "or *");
  t.text("site.name", FIELD(site.name), "heading of the page for visitors");
  t.text("site.text", FIELD(site.text), "what stands below it");
  t.text("site.shows", FIELD(site.shows),
         "its parts, with commas between: status, history, boards, levels, achievements, map (or "
         "map:KM)");
  t.text("site.boards", FIELD(site.boards), "its leaderboards, with commas between");
  auto& webhook = t.text("status.webhook_url", FIELD(status.webhook_url),
                         "http(s) URL that is called when a game server goes down or comes back");
  webhook.secret = true;  // such URLs often hold a token
  t.text("status.webhook_secret", FIELD(status.webhook_secret),
         "key of the HMAC-SHA256 that signs what the webhook receives")
      .secret = true;
  t.text("status.worker_listen", FIELD(status.worker_listen),
         "address:port of status-worker's /health and /metrics");
  t.number("tasks.concurrency", FIELD(tasks.concurrency), 0, 1'000,
           "tasks that serve's own worker may run at once; 0: serve has no worker");
  t.text(
      "tasks.queues", FIELD(tasks.queues),
      "queues of serve's own worker, comma-separated; empty: skirmish, and on the embedded Redis "
      "celery too");
  t.text("tasks.send_queues", FIELD(tasks.send_queues),
         "queues that POST /api/tasks may send to, comma-separated, beside celery, skirmish and "
         "those of serve's own worker");
  t.text("tasks.worker_listen", FIELD(tasks.worker_listen),
         "address:port of /metrics of `skirmish worker`; empty: it is not served");
  t.number("tasks.history_limit", FIELD(tasks.history_limit), 100, 1'000'000,
           "tasks kept in the history, about 1.2 KB each in Redis");
  t.number("notifications.limit", FIELD(notifications.limit), 1, 100'000,
           "unread notifications kept a player");
  t.number("notifications.text_limit", FIELD(notifications.text_limit_chars), 1, 64 << 10,
           "longest notification, characters");
  t.table(
      "rate_limits", FIELD(rate_limits),
      "how often callers may ask: `<policy>.<field>=value` with commas between, or a table per "
      "policy; the fields are routes, by, roles, rate, burst, lease, lease_ttl, on_outage, shadow "
      "and enabled",
      {request_limits::policies_max * 10, request_limits::check_setting});
  return t.take();
}

#undef FIELD

const setting* find(std::string_view name) {
  const auto& all = settings();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const auto& s) { return s.name == name; });
  return found == all.end() ? nullptr : &*found;
}

// The setting of names and values whose entry `name` is.
const setting* find_table_of(std::string_view name) {
  for (const auto& s : settings())
    if (s.read_entry && name.starts_with(s.name + ".")) return &s;
  return nullptr;
}

std::string hint(std::string_view name, const std::vector<std::string>& candidates) {
  const auto best = nearest(name, candidates);
  return best.empty() ? std::string("; `skirmish check --list` lists all names")
                      : "; did you mean `" + best + "`?";
}

// A secret `x` may also come from a file that `x_file` names (in the environment X_FILE).
constexpr std::string_view file_suffix = "_file";
constexpr std::string_view file_suffix_env = "_FILE";
constexpr std::size_t secret_file_limit_bytes = 64 << 10;

std::vector<std::string> names(bool of_environment) {
  std::vector<std::string> out;
  for (const auto& s : settings()) {
    if (!of_environment) {
      out.push_back(s.name);
      if (s.secret) out.push_back(s.name + std::string(file_suffix));
      continue;
    }
    for (const auto& variable : s.env) {
      out.push_back(variable);
      if (s.secret) out.push_back(variable + std::string(file_suffix_env));
    }
  }
  return out;
}

result<void> read_from_file(const setting& s, config& target, std::string_view path) {
  const auto secret = read_secret_file(std::string(path));
  if (!secret) return secret.error();
  return s.read(target, *secret);
}

// Walks a TOML table and sets every leaf by its dotted name.
result<void> apply_table(config& target, const toml::table& table, const std::string& prefix) {
  // toml++ sorts the names; what counts is the order in the file.
  std::vector<std::pair<std::string, const toml::node*>> entries;
  for (const auto& [key, node] : table) entries.emplace_back(key.str(), &node);
  std::stable_sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    return a.second->source().begin < b.second->source().begin;
  });
  for (const auto& [key, entry] : entries) {
    const auto& node = *entry;
    const auto name = prefix.empty() ? key : prefix + "." + key;
    if (const auto* inner = node.as_table()) {
      if (auto r = apply_table(target, *inner, name); !r) return r.error();
      continue;
    }
    std::string value;
    if (const auto* s = node.as_string())
      value = s->get();
    else if (const auto* i = node.as_integer())
      value = std::to_string(i->get());
    else if (const auto* b = node.as_boolean())
      value = b->get() ? "true" : "false";
    else if (const auto* f = node.as_floating_point())
      value = fmt::format("{}", f->get());
    else
      return bad(fmt::format("{} must be a string, a number, true or false", name));
    if (auto r = set(target, name, value); !r) return r.error();
  }
  return {};
}

// Variables of this name space that are no settings: read by the command-line tools and the tests.
constexpr std::string_view other_variables[] = {"SKIRMISH_API_KEY", "SKIRMISH_API_KEY_FILE",
                                                "SKIRMISH_URL", "SKIRMISH_BIN"};

// The SKIRMISH_ form of a variable stands first and wins over the customary one; a variable and its
// _FILE form exclude each other.
result<void> apply_variables(config& target, const environment& env, const setting& s) {
  for (const auto& variable : s.env) {
    const auto file_variable = variable + std::string(file_suffix_env);
    const auto value = env.find(variable);
    const auto file = s.secret ? env.find(file_variable) : env.end();
    if (value == env.end() && file == env.end()) continue;
    if (value != env.end() && file != env.end())
      return bad(fmt::format("set {} or {}, not both", variable, file_variable));
    if (value != env.end()) {
      if (auto r = s.read(target, value->second); !r)
        return bad(fmt::format("environment variable {} {}", variable, r.error().message));
    } else if (auto r = read_from_file(s, target, file->second); !r) {
      return bad(fmt::format("environment variable {}: {}", file_variable, r.error().message));
    }
    return {};
  }
  return {};
}

result<void> apply_environment(config& target, const environment& env) {
  for (const auto& s : settings())
    if (auto r = apply_variables(target, env, s); !r) return r;
  for (const auto& [name, value] : env) {
    if (!name.starts_with("SKIRMISH_")) continue;
    if (std::find(std::begin(other_variables), std::end(other_variables), name) !=
        std::end(other_variables))
      continue;
    const auto valid = names(true);
    if (std::find(valid.begin(), valid.end(), name) == valid.end())
      return bad(fmt::format("unknown environment variable {}{}", name, hint(name, valid)));
  }
  return {};
}

}  // namespace

const std::vector<setting>& settings() {
  static const auto all = build_settings();
  return all;
}

environment process_environment() {
  environment out;
  for (char** entry = environ; *entry; ++entry) {
    const std::string_view text(*entry);
    const auto equals = text.find('=');
    if (equals != std::string_view::npos)
      out.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return out;
}

result<std::string> read_secret_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string text(secret_file_limit_bytes + 1, '\0');
  // A directory opens, and fails when it is read.
  if (in) in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!in.is_open() || in.bad()) return bad("cannot read " + path);
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > secret_file_limit_bytes) return bad(path + " is larger than 64 KiB");
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  if (text.empty()) return bad(path + " is empty");
  if (text.find_first_of(std::string_view("\n\r\0", 3)) != std::string::npos)
    return bad(path + " must hold the secret alone, on one line");
  return text;
}

bool holds_secret(std::string_view name, std::string_view value) {
  const auto* s = find(name);
  if (!s || !s->secret || value.empty()) return false;
  const auto scheme = value.find("://");
  if (scheme == std::string_view::npos) return true;
  // A URL of nothing but a host is no secret; what stands before an '@' or after a '?' may be one.
  return value.find_first_of("@?", scheme) != std::string_view::npos;
}

result<void> set(config& target, std::string_view name, std::string_view value) {
  if (const auto* table = find_table_of(name)) {
    auto r = table->read_entry(target, name.substr(table->name.size() + 1), value);
    if (!r) return bad(fmt::format("{} {}", table->name, r.error().message));
    return {};
  }
  const auto* s = find(name);
  if (!s && name.ends_with(file_suffix)) {
    const auto* secret = find(name.substr(0, name.size() - file_suffix.size()));
    if (secret && secret->secret) {
      if (auto r = read_from_file(*secret, target, value); !r)
        return bad(fmt::format("{}: {}", name, r.error().message));
      return {};
    }
  }
  if (!s) return bad(fmt::format("unknown setting `{}`{}", name, hint(name, names(false))));
  if (auto r = s->read(target, value); !r)
    return bad(fmt::format("{} {}", name, r.error().message));
  return {};
}

result<config> load_config(const std::string& file, const environment& env,
                           const std::vector<std::pair<std::string, std::string>>& overrides) {
  config out;
  if (!file.empty()) {
    try {
      if (auto r = apply_table(out, toml::parse_file(file), ""); !r)
        return bad(fmt::format("{}: {}", file, r.error().message));
    } catch (const toml::parse_error& e) {
      return bad(fmt::format("{}:{}: {}", file, e.source().begin.line, e.description()));
    }
  }
  if (auto r = apply_environment(out, env); !r) return r.error();
  for (const auto& [name, value] : overrides)
    if (auto r = set(out, name, value); !r) return r.error();
  return out;
}

std::string show(const config& c) {
  std::string out;
  for (const auto& s : settings()) {
    auto value = s.show(c);
    if (s.secret && !value.empty()) value = "(set, hidden)";
    out += fmt::format("{} = {}\n", s.name, value.empty() ? "\"\"" : value);
  }
  return out;
}

}  // namespace skirmish
