// `skirmish check`, `migrate`, `apikey` and `key`: what an operator needs beside the server.
#include "apikeys/apikeys.hpp"
#include "apikeys/apikeys_routes.hpp"
#include "apikeys/revocations.hpp"
#include "app.hpp"
#include "audit/audit_routes.hpp"
#include "cli/cli.hpp"
#include "cli/with_redis.hpp"
#include "core/ids.hpp"
#include "core/json_text.hpp"
#include "core/parse.hpp"
#include "db/migrate.hpp"
#include "db/world.hpp"
#include "feature_settings.hpp"

#include <boost/asio/cancel_after.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace skirmish::cli {
namespace {

using namespace std::chrono_literals;

// How long an operator waits for the database.
constexpr auto sql_patience = 5s;

db::config database_of(const config& c) {
  auto out = database_config_of(c);
  if (!out) throw usage_error{out.error().message};
  return std::move(*out);
}

void check(const config& c) {
  fmt::print("{}", show(c));
  const auto db = database_of(c);
  const auto redis = redis_config_of(c);
  if (!redis) throw usage_error{redis.error().message};
  try {
    game_server_settings_of(c);
  } catch (const failure& e) {
    throw usage_error{e.what()};
  }
  fmt::print("\nRedis: {}\nSQL: {}\n", redis::to_string_masked(*redis), to_string(db));
}

void list_settings() {
  for (const auto& s : settings())
    fmt::print("{}\n    {}\n    environment: {}\n", s.name, s.help, fmt::join(s.env, ", "));
}

void add_check(CLI::App& app, int& code) {
  auto* command = app.add_subcommand("check", "Print the effective configuration, secrets masked");
  auto flags = std::make_shared<config_flags>();
  auto list = std::make_shared<bool>(false);
  flags->add_to(*command);
  command->add_flag("--list", *list, "list all settings with their meaning");
  command->footer(
      "Examples:\n"
      "  skirmish check\n"
      "  skirmish check --config /etc/skirmish.toml\n"
      "  skirmish check --list");
  command->callback([=, &code] {
    if (*list)
      list_settings();
    else
      check(flags->load());
    code = done;
  });
}

void take_world(const db::config& config, const std::string& world) {
  db::database db(config);
  db.start();
  run([&](asio::io_context&) -> awaitable<void> { co_await db::replace_world(db, world); });
  fmt::print("the database belongs to {}\n",
             world.empty() ? "the default world" : "the world `" + world + "`");
}

void add_migrate(CLI::App& app, int& code) {
  auto* command = app.add_subcommand("migrate", "Apply pending migrations to the database");
  auto flags = std::make_shared<config_flags>();
  auto only_list = std::make_shared<bool>(false);
  flags->add_to(*command);
  command->add_flag("--pending", *only_list, "only list what is pending");
  auto takes_world = std::make_shared<bool>(false);
  command
      ->add_flag("--take-world", *takes_world,
                 "give the database to the world of server.world, whichever it belongs to")
      ->excludes("--pending");
  command->footer(
      "Examples:\n"
      "  skirmish migrate --pending\n"
      "  skirmish migrate --config /etc/skirmish.toml\n"
      "  skirmish migrate --set server.world=north --take-world");
  command->callback([=, &code] {
    const auto settings = flags->load();
    const auto db = database_of(settings);
    const auto found = *only_list ? db::pending_migrations(db) : db::migrate(db);
    for (const auto& m : found)
      fmt::print("{} {:04} {}\n", *only_list ? "pending" : "applied", m.version, m.name);
    if (found.empty()) fmt::print("nothing pending\n");
    if (*takes_world) take_world(db, settings.server.world);
    code = done;
  });
}

// Runs `work` with the key store of the configured database.
template <class Work>
void with_keys(const config& c, Work work) {
  db::database db(database_of(c));
  db.start();
  const system_clock time;
  apikeys::store keys(db, time);
  run([&](asio::io_context& io) -> awaitable<void> { co_await work(keys, io); });
}

// Within a second the servers refuse the key: they look in SQL and in Redis, and one of the two is
// enough. Both are told, SQL first: it knows which keys exist.
awaitable<void> revoke_key(apikeys::store& keys, const config& c, std::string key_id,
                           asio::io_context& io) {
  std::string sql_problem;
  try {
    const auto executor = co_await asio::this_coro::executor;
    const auto ask = [&] { return keys.revoke(key_id); };
    const auto revoked =
        co_await asio::co_spawn(executor, ask, asio::cancel_after(sql_patience, use_awaitable));
    if (!revoked) throw usage_error{revoked.error().message};
  } catch (const failure& e) {
    sql_problem = e.what();
  } catch (const boost::system::system_error&) {
    sql_problem = "the database did not answer in time";
  }
  std::string redis_problem;
  const auto space = redis::key_space::of_world(c.server.world);
  if (!space) throw usage_error{space.error().message};
  const auto announce = [&](redis::client& redis) {
    return apikeys::announce_revocation(redis, *space, key_id);
  };
  try {
    co_await with_redis(c, io, announce);
  } catch (const failure& e) {
    redis_problem = e.what();
  }
  if (sql_problem.empty()) co_return;
  if (!redis_problem.empty())
    throw failure(errc::unavailable, "not revoked: " + sql_problem + "; " + redis_problem);
  throw failure(errc::unavailable,
                "running servers refuse the key, but it is not written to the "
                "database: repeat this. " +
                    sql_problem);
}

// The flags of `apikey create`.
struct key_flags {
  std::string role = "server";
  std::string label;
  std::vector<std::string> scopes;
  std::string expires_in;

  [[nodiscard]] apikeys::key_wish wish() const {
    apikeys::key_wish out{.role = role, .label = label};
    const auto allowed = http::scopes::parse(fmt::format("{}", fmt::join(scopes, ",")));
    if (!allowed) throw usage_error{allowed.error().message};
    out.allowed = *allowed;
    if (!expires_in.empty()) {
      out.life = parse_duration(expires_in);
      if (!out.life || out.life->count() == 0)
        throw usage_error{"--expires-in takes a duration, for example 12h or 90d"};
    }
    if (const auto ok = check(out); !ok) throw usage_error{ok.error().message};
    return out;
  }
};

void print_keys(const std::vector<apikeys::api_key>& all, bool as_json) {
  const auto now = system_clock().now();
  for (const auto& k : all) {
    if (as_json) {
      fmt::print("{}\n", json_text_of(to_json(k)));
      continue;
    }
    const auto used = k.last_used_at ? to_rfc3339(*k.last_used_at) : std::string("never used");
    std::string notes;
    if (k.revoked)
      notes = "  (revoked)";
    else if (k.expires_at)
      notes = fmt::format("  ({} {})", *k.expires_at <= now ? "expired" : "expires",
                          to_rfc3339(*k.expires_at));
    fmt::print("{}  {:6}  {}  {:24}  {:10}  {}{}\n", k.key_id, k.role, to_rfc3339(k.created_at),
               used, k.allowed.are_all() ? "all" : k.allowed.to_text(), k.label, notes);
  }
}

void add_apikey(CLI::App& app, int& code) {
  auto* command = app.add_subcommand("apikey", "Create, list and revoke API keys");
  command->require_subcommand(1);
  command->footer(
      "Examples:\n"
      "  skirmish apikey create --role server --label eu-1\n"
      "  skirmish apikey revoke 3f9a0c12b4de");
  auto flags = std::make_shared<config_flags>();
  flags->add_to(*command);

  auto* create = command->add_subcommand("create", "Create a key and print it, this once");
  auto wished = std::make_shared<key_flags>();
  create->add_option("--role", wished->role, "server, admin or viewer (reads what an admin reads)")
      ->capture_default_str();
  create->add_option("--label", wished->label, "who uses it");
  create->add_option("--scope", wished->scopes,
                     "chat, events, players, read, state or tasks; several times or with commas. "
                     "Without it the key may do all that its role may");
  create->add_option("--expires-in", wished->expires_in, "for example 12h or 90d");
  create->footer(
      "Examples:\n"
      "  skirmish apikey create --role server --label eu-1\n"
      "  skirmish apikey create --label logs --scope read --expires-in 90d\n"
      "  skirmish apikey create --role viewer --label dashboard");
  create->callback([=, &code] {
    const auto wish = wished->wish();
    with_keys(flags->load(), [&](apikeys::store& keys, asio::io_context&) -> awaitable<void> {
      const auto made = co_await keys.create(wish);
      fmt::print("{}\n", made.key);
    });
    code = done;
  });

  auto* list = command->add_subcommand("list", "List keys (never their secrets)");
  auto as_json = std::make_shared<bool>(false);
  list->add_flag("--json", *as_json, "one JSON object per line");
  list->footer("Examples:\n  skirmish apikey list\n  skirmish apikey list --json");
  list->callback([=, &code] {
    with_keys(flags->load(), [&](apikeys::store& keys, asio::io_context&) -> awaitable<void> {
      const auto all = co_await keys.list();
      print_keys(all, *as_json);
    });
    code = done;
  });

  auto* revoke = command->add_subcommand("revoke", "Make a key useless");
  auto id = std::make_shared<std::string>();
  revoke->add_option("KEY_ID", *id, "as `list` shows it")->required();
  revoke->footer("Examples:\n  skirmish apikey revoke 3f9a0c12b4de");
  revoke->callback([=, &code] {
    if (!is_valid_id(*id)) throw usage_error{"this is not the id of a key"};
    const auto settings = flags->load();
    with_keys(settings, [&](apikeys::store& keys, asio::io_context& io) {
      return revoke_key(keys, settings, *id, io);
    });
    fmt::print("revoked {}\n", *id);
    code = done;
  });
}

void print_changes(const audit::page& found, bool as_json) {
  for (const auto& c : found.items) {
    if (as_json) {
      fmt::print("{}\n", json_text_of(audit::to_json(c)));
      continue;
    }
    const auto status = c.status ? std::to_string(*c.status) : std::string("?");
    fmt::print("{}  {}  {:16}  {:9}  {:40}  {}  {}  {}\n", to_rfc3339(c.at), c.key_id, c.label,
               c.method, c.route, status, c.target, c.request_id);
  }
}

void add_audit(CLI::App& app, int& code) {
  auto* command = app.add_subcommand("audit", "Show what was changed with admin keys");
  auto flags = std::make_shared<config_flags>();
  auto wanted = std::make_shared<audit::filter>();
  auto since = std::make_shared<std::string>();
  auto as_json = std::make_shared<bool>(false);
  flags->add_to(*command);
  command->add_option("--key", wanted->key_id, "changes made with the key of this id");
  command->add_option("--route", wanted->route,
                      "changes by this route, /api/players/{id} for example");
  command->add_option("--since", *since, "from this time on (RFC 3339), or for so long (24h)");
  command->add_option("--limit", wanted->limit, "how many at most")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  command->add_flag("--json", *as_json, "one JSON object per line");
  command->footer(
      "The newest first: time, key, its label, method, route, status, parameters, request id.\n"
      "Examples:\n"
      "  skirmish audit --since 24h\n"
      "  skirmish audit --key 3f9a0c12b4de --json\n"
      "  skirmish audit --route '/api/players/{id}' --limit 200");
  command->callback([=, &code] {
    auto f = *wanted;
    if (const auto ago = parse_duration(*since))
      f.since = system_clock().now() - *ago;
    else
      f.since = parse_rfc3339(*since);
    if (!since->empty() && !f.since) throw usage_error{"--since takes a time, or a duration"};
    db::database db(database_of(flags->load()));
    db.start();
    run([&](asio::io_context&) -> awaitable<void> {
      const auto found = co_await audit::list(db, f);
      print_changes(found, *as_json);
    });
    code = done;
  });
}

// The reply's elements one a line, pairs joined.
void print_value(const redis::value& v) {
  if (v.kind() == redis::value::type::map) {
    for (const auto& [name, text] : v.as_pairs()) fmt::print("{} = {}\n", name, text);
  } else if (v.is_aggregate()) {
    for (const auto& element : v.elements()) fmt::print("{}\n", element.to_text());
  } else if (v.is_string()) {
    fmt::print("{}\n", v.as_string());
  } else {
    fmt::print("{}\n", v.to_text());
  }
}

// Reads at most this many elements of a key.
constexpr int shown_max = 1000;

redis::request read_of(const std::string& type, const std::string& key) {
  redis::request r;
  if (type == "string")
    r.push("GET", key);
  else if (type == "hash")
    r.push("HGETALL", key);
  else if (type == "list")
    r.push("LRANGE", key, 0, shown_max - 1);
  else if (type == "set")
    r.push("SRANDMEMBER", key, shown_max);
  else if (type == "zset")
    r.push("ZREVRANGE", key, 0, shown_max - 1, "WITHSCORES");
  else if (type == "stream")
    r.push("XREVRANGE", key, "+", "-", "COUNT", shown_max);
  else
    throw usage_error{"there is no key " + key};
  return r;
}

awaitable<void> show_key(redis::client& client, std::string key) {
  const auto type = redis::checked(co_await client.command("TYPE", key)).as_string();
  auto read = read_of(type, key);
  const auto ttl_ms =
      redis::checked(co_await client.command("PTTL", key)).as_integer().value_or(-1);
  fmt::print("type: {}\nttl: {}\n", type,
             ttl_ms < 0 ? "none" : fmt::format("{:.1f} s", static_cast<double>(ttl_ms) / 1000));
  const auto replies = redis::checked(co_await client.exec(std::move(read)));
  print_value(replies[0]);
}

void add_key(CLI::App& app, int& code) {
  auto* command = app.add_subcommand("key", "Show type, TTL and value of any Redis key");
  auto flags = std::make_shared<config_flags>();
  auto key = std::make_shared<std::string>();
  flags->add_to(*command);
  command->add_option("KEY", *key, "for example leaderboard:active")->required();
  command->footer(
      "Examples:\n"
      "  skirmish key player:alice\n"
      "  skirmish key leaderboard:active --set redis.url=redis://10.0.0.5/0");
  command->callback([=, &code] {
    const auto settings = flags->load();
    const auto show = [&](redis::client& client) { return show_key(client, *key); };
    run([&](asio::io_context& io) { return with_redis(settings, io, show); });
    code = done;
  });
}

}  // namespace

void add_operator_tools(CLI::App& app, int& code) {
  add_check(app, code);
  add_migrate(app, code);
  add_apikey(app, code);
  add_audit(app, code);
  add_key(app, code);
}

}  // namespace skirmish::cli
