// Configuration: what can be set, its defaults and units. The only reader of the environment.
//
// Four layers, each over the one before: the defaults below, a TOML file (`--config`), the
// environment, the command line. Every setting has one dotted name (`http.listen`), which is its
// TOML key, its `--set name=value` flag and, in upper case with SKIRMISH_ in front
// (`SKIRMISH_HTTP_LISTEN`), its environment variable; some have a customary variable beside it
// (`REDIS_URL`, `DB_HOST`). Durations are written `500ms`, `30s`, `10m`, `24h` (a bare number is
// seconds); sizes `64KiB`, `1MiB` (a bare number is bytes). `skirmish check` prints the outcome.
#pragma once

#include "core/error.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skirmish {

struct config {
  struct {
    std::string world;  // tag before every Redis key (`{world}:`); empty for the default world
    std::string data_dir = "data";  // admin.key, the embedded Redis and the SQLite file
    std::int64_t threads = 0;       // server threads; 0: one per core
    std::string log_level = "info";
  } server;

  struct {
    std::string listen = "127.0.0.1:8090";  // address:port; port 0 picks a free one
    std::int64_t body_limit_bytes = 4 << 20;
    std::int64_t anonymous_limit_bytes = 16 << 10;  // of a body or message without a key
    std::int64_t header_limit_bytes = 16 << 10;
    std::int64_t connection_limit = 20'000;  // open connections in the whole process
    // Of those, from one address that is no trusted proxy; 0: no limit.
    std::int64_t connections_per_address = 1'000;
    // Networks of proxies (10.0.0.0/8, fd00::/8) whose X-Forwarded-For counts, with commas between.
    std::string trusted_proxies = "127.0.0.1, ::1";
    bool proxy_protocol = false;  // those proxies send a PROXY header in front of each connection
    std::chrono::milliseconds header_timeout{10'000};
    std::chrono::milliseconds body_timeout{30'000};
    std::chrono::milliseconds idle_timeout{75'000};
    std::int64_t websocket_frame_limit_bytes = 1 << 20;
    std::int64_t websocket_queue_limit_bytes =
        1 << 20;                                   // unsent bytes at which a slow reader is closed
    std::int64_t buffer_budget_bytes = 128 << 20;  // of all connections together
    std::string tls_listen;                        // address:port that speaks TLS; empty: none
    std::string tls_certificate;                   // PEM files
    std::string tls_key;
    std::string allowed_origins;  // sites whose pages may use a key here, with commas between
  } http;

  struct {
    std::string url;  // empty: an embedded server in data_dir
    std::chrono::milliseconds timeout{2'000};
    std::int64_t queue_limit = 10'000;  // requests waiting for an answer, per connection
    // Replicas that must have a commit before it is let go of; 0: it is enough that the master has
    // written it.
    std::int64_t replicas_acked = 0;
    // How old a commit that they lack may get before new events are refused.
    std::chrono::milliseconds replica_lag_limit{30'000};
  } redis;

  struct {
    std::string url;  // empty with an empty host: SQLite in data_dir
    std::string
        host;  // customary DB_HOST, DB_PORT, DB_USER, DB_PASSWORD, DB_NAME: MariaDB or MySQL
    std::int64_t port = 3306;
    std::string user;
    std::string password;
    std::string name = "skirmish";
    std::int64_t sessions = 4;
    std::chrono::milliseconds statement_timeout{5'000};
    bool migrate = true;  // serve applies pending migrations when it starts
  } db;

  struct {
    std::int64_t batch_limit = 10'000;               // events in one request
    std::int64_t commit_limit = 50'000;              // events in one commit; more than a request's
    std::int64_t queue_limit = 200'000;              // events waiting for a commit, per thread
    std::int64_t log_limit = 1'000'000;              // entries kept in the stream `interactions`
    std::chrono::milliseconds log_age{86'400'000};   // entries older than that go; 0: none does
    std::int64_t actions_limit = 20;                 // last actions kept per player
    std::int64_t event_ids_limit = 1'000'000;        // event ids remembered for 10 to 20 minutes
    std::chrono::milliseconds settle_within{5'000};  // older pending writes slow new events down
  } interactions;

  // Live logs of game servers (docs/game-servers.md).
  struct {
    std::string origin = "48.8566,2.3522";    // where the maps' origin lies
    std::int64_t body_limit_bytes = 1 << 20;  // of a request with log lines
    std::int64_t servers_limit = 64;          // by HTTP, whose state is kept in memory
    std::string udp_listen;                   // address:port; empty: nothing is received by UDP
    std::int64_t udp_queue_limit_bytes = 4 << 20;  // lines that wait to be applied
    // `<server>.secret` and `<server>.sources`.
    std::vector<std::pair<std::string, std::string>> udp_servers;
  } ingest;

  struct {
    std::chrono::milliseconds slice{60'000};  // whole seconds; the window's edge is exact to it
    std::chrono::milliseconds window{86'400'000};  // what leaderboard:active looks back on
    std::int64_t sweeper = 1;  // 0: this server leaves sealing and sweeping to others
  } activity;

  struct {
    std::chrono::milliseconds idle_ttl{std::chrono::hours{7 * 24}};   // after the last use
    std::chrono::milliseconds lifetime{std::chrono::hours{30 * 24}};  // from the login on
    std::int64_t per_player = 16;   // sessions of a player; the oldest end
    std::int64_t hash_threads = 1;  // threads that check passwords
    std::string issuers_file;       // whose tokens open sessions; empty: nobody's
  } sessions;

  struct {
    std::int64_t entries_limit = 10'000;  // of a namespace of game servers
    std::int64_t bytes_limit = 64 << 20;
    std::int64_t player_entries_limit = 100;  // of a player
    std::int64_t player_bytes_limit = 1 << 20;
    std::int64_t snapshots = 5;             // kept of a game server's recovery key; the oldest go
    std::int64_t recovery_keys_limit = 64;  // of a game server
    std::chrono::milliseconds recovery_ttl{std::chrono::hours{30 * 24}};  // after the last snapshot
  } state;

  struct {
    std::chrono::milliseconds keep{std::chrono::hours{365 * 24}};  // how long changes are listed
  } audit;

  struct {
    std::chrono::milliseconds popular_refresh{60'000};  // how often the popular levels are cached
  } levels;

  struct {
    // Achievement, counter, threshold; with commas between.
    std::string rules =
        "first-blood kills 1, slayer kills 100, hard-hitter damage 1000, destroyer damage 100000, "
        "first-steps completions 1, explorer completions 20, veteran level 10, hello chats 1, "
        "talkative chats 100";
  } achievements;

  struct {
    std::string channels = "general";     // open to all, with commas between
    std::int64_t history_limit = 10'000;  // messages kept, per channel
    std::chrono::milliseconds history_ttl{std::chrono::hours{720}};  // after the last message
    std::int64_t text_limit_chars = 2'000;
    std::int64_t rate_per_s = 10;         // messages of a player on average; 0: no limit
    std::int64_t burst = 20;              // and at once
    std::int64_t key_rate_per_s = 1'000;  // messages of a game server's key; 0: no limit
    std::int64_t key_burst = 2'000;
    bool announce = false;  // completions and achievements are announced on `general` too
  } chat;

  struct {
    std::int64_t refresher = 1;  // 0: `serve` reads the status but leaves refreshing to others
    std::chrono::milliseconds update_interval{600'000};
    std::chrono::milliseconds cache_ttl{900'000};    // of server:status
    std::chrono::milliseconds fresh_grace{30'000};   // fresh: younger than the interval and this
    std::chrono::milliseconds stale_after{900'000};  // the age from which /health says stale
    std::string probe;  // URL of the game server; empty: it is not asked
    std::chrono::milliseconds probe_timeout{2'000};
    std::vector<std::pair<std::string, std::string>> probes;  // name and URL of more game servers
    std::int64_t probe_failures = 3;                // in a row, until it counts as offline
    std::chrono::milliseconds probe_retry{10'000};  // after a failed probe of one that was online
    std::int64_t history_limit = 50'000;            // points kept
    std::chrono::milliseconds max_age{5'000};       // how long browsers and proxies may keep it
    std::string cors_origins;    // comma-separated origins, or *; empty: no other site may read it
    std::string webhook_url;     // called when a game server goes down or comes back; empty: none
    std::string webhook_secret;  // signs what is sent there
    std::string worker_listen = "127.0.0.1:8091";  // of `skirmish status-worker`
  } status;

  struct {
    std::int64_t concurrency = 4;  // of the task worker inside `serve`; 0: it has none
    // That worker's queues, as `skirmish worker -Q`. Empty: `skirmish`, and on the embedded Redis,
    // which no other program's workers share, `celery` too.
    std::string queues;
    // What POST /api/tasks may send to beside those, `celery` and `skirmish`: queues of other
    // programs' workers.
    std::string send_queues;
    std::string worker_listen;             // /metrics of `skirmish worker`; empty: not served
    std::int64_t history_limit = 100'000;  // tasks kept in the history
  } tasks;

  struct {
    std::int64_t limit = 1'000;  // unread ones kept a player; the oldest go
    std::int64_t text_limit_chars = 2'000;
  } notifications;

  // The page for visitors (docs/console.md).
  struct {
    std::string name = "Skirmish";
    std::string text;                                                     // below the name
    std::string shows = "status, history, boards, levels, achievements";  // in any order
    std::string boards = "global, active";
  } site;

  // `<policy>.<field>` and its value, over the policies that are built in (docs/rate-limits.md).
  std::vector<std::pair<std::string, std::string>> rate_limits;
};

// One setting, as data: its names, its meaning, and how it is read and shown.
struct setting {
  std::string name;              // "http.listen"
  std::vector<std::string> env;  // first SKIRMISH_HTTP_LISTEN, then customary ones
  std::string help;
  bool secret = false;  // shown masked
  std::function<result<void>(config&, std::string_view)> read;
  std::function<std::string(const config&)> show;
  // Of settings that hold names and values: sets the one whose dotted name is `name.<entry>`.
  std::function<result<void>(config&, std::string_view entry, std::string_view)> read_entry;
};

// All settings, in the order of `config`.
const std::vector<setting>& settings();

using environment = std::map<std::string, std::string>;
environment process_environment();

// Builds the configuration from the layers. `file` is a TOML path or empty; `overrides` are dotted
// names and values from the command line. An unknown name, an unknown SKIRMISH_ variable or a bad
// value is an error that names the place, what is wrong and the nearest valid name.
result<config> load_config(const std::string& file, const environment& env,
                           const std::vector<std::pair<std::string, std::string>>& overrides);

// Sets one value by its dotted name.
result<void> set(config& target, std::string_view name, std::string_view value);

// The effective configuration, a `name = value` line each, secrets masked.
std::string show(const config& c);

}  // namespace skirmish
