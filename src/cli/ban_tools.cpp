// `skirmish ban`: shuts players, API keys, addresses and networks out for a time. It writes to
// Redis, so that it works for who is shut out, too.
#include "audit/audit.hpp"
#include "bans/ban_store.hpp"
#include "cli/cli.hpp"
#include "cli/with_redis.hpp"
#include "core/ids.hpp"
#include "core/json_text.hpp"
#include "core/parse.hpp"
#include "core/text.hpp"

#include <fmt/format.h>

namespace skirmish::cli {
namespace {

// Whom the audit log and the bans name.
constexpr auto author = "command-line";

struct ban_flags {
  config_flags settings;
  std::string kind;
  std::string value;
  std::string reason;
  std::string life = "24h";
  bool as_json = false;

  void add_subject_to(CLI::App& command) {
    command.add_option("KIND", kind, "player, key, address or network")->required();
    command
        .add_option("VALUE", value,
                    "an id, an address (IPv6 counts by its /64), or a network like 203.0.113.0/24")
        ->required();
  }
  [[nodiscard]] bans::subject subject() const {
    auto of = bans::parse_subject(kind, value);
    if (!of) throw usage_error{of.error().message};
    return std::move(*of);
  }
  [[nodiscard]] bans::ban wish(timestamp now) const {
    const auto lasts = parse_duration(life);
    if (!lasts || lasts->count() <= 0 || *lasts > bans::life_max)
      throw usage_error{"--for takes a duration up to 366d, for example 30m or 7d"};
    if (!is_valid_utf8(reason)) throw usage_error{"--reason takes UTF-8"};
    if (const auto fault = text_fault(reason, lines::one, 1, bans::reason_max_chars))
      throw usage_error{"--reason " + *fault};
    return {subject(), reason, author, now, now + *lasts};
  }
};

using flags_ptr = std::shared_ptr<ban_flags>;

// Runs `work(store, redis, keys)`.
template <class Work>
void with_bans(const ban_flags& flags, Work work) {
  const auto settings = flags.settings.load();
  const auto keys = redis::key_space::of_world(settings.server.world);
  if (!keys) throw usage_error{keys.error().message};
  const system_clock time;
  const auto run_work = [&](redis::client& redis) -> awaitable<void> {
    bans::store store(redis, *keys, time);
    co_await work(store, redis, *keys);
  };
  run([&](asio::io_context& io) { return with_redis(settings, io, run_work); });
}

audit::change change_of(std::string method, const bans::subject& of) {
  audit::change c;
  c.key_id = author;
  c.method = std::move(method);
  c.route = "/api/bans/{kind}/{value}";
  c.target =
      json_text_of(boost::json::object{{"kind", bans::to_string(of.is)}, {"value", of.value}});
  c.address = "-";
  return c;
}

void add_add(CLI::App& ban, const flags_ptr& flags, int& code) {
  auto* command = ban.add_subcommand("add", "Ban, in force on all servers within a second");
  flags->add_subject_to(*command);
  command->add_option("--reason", flags->reason, "who is banned reads it, too")->required();
  command->add_option("--for", flags->life, "how long, up to 366d")->capture_default_str();
  command->footer(
      "Examples:\n"
      "  skirmish ban add player joe --reason 'insults in the chat' --for 7d\n"
      "  skirmish ban add address 203.0.113.7 --reason flood --for 30m\n"
      "  skirmish ban add network 203.0.113.0/24 --reason flood");
  command->callback([flags, &code] {
    const auto made = flags->wish(system_clock().now());
    with_bans(*flags,
              [&](bans::store& store, redis::client& redis,
                  const redis::key_space& keys) -> awaitable<void> {
                auto change = change_of("PUT", made.of);
                const auto noted = co_await audit::note_command(redis, keys, std::move(change));
                const auto stored = co_await store.put(made);
                const int status = stored ? 200 : 409;
                co_await audit::note_status(redis, keys, noted, status);
                if (!stored) throw usage_error{stored.error().message};
              });
    fmt::print("banned {} {} until {}\n", bans::to_string(made.of.is), made.of.value,
               to_rfc3339(made.until));
    code = done;
  });
}

void add_remove(CLI::App& ban, const flags_ptr& flags, int& code) {
  auto* command = ban.add_subcommand("remove", "End a ban");
  flags->add_subject_to(*command);
  command->footer(
      "Examples:\n"
      "  skirmish ban remove player joe\n"
      "  skirmish ban remove network 203.0.113.0/24");
  command->callback([flags, &code] {
    const auto of = flags->subject();
    with_bans(*flags,
              [&](bans::store& store, redis::client& redis,
                  const redis::key_space& keys) -> awaitable<void> {
                auto change = change_of("DELETE", of);
                const auto noted = co_await audit::note_command(redis, keys, std::move(change));
                const auto removed = co_await store.remove(of);
                const int status = removed ? 204 : 404;
                co_await audit::note_status(redis, keys, noted, status);
                if (!removed) throw usage_error{removed.error().message};
              });
    fmt::print("ended the ban of {} {}\n", bans::to_string(of.is), of.value);
    code = done;
  });
}

void add_list(CLI::App& ban, const flags_ptr& flags, int& code) {
  auto* command = ban.add_subcommand("list", "List the bans in force");
  command->add_flag("--json", flags->as_json, "one JSON object per line");
  command->footer("Examples:\n  skirmish ban list\n  skirmish ban list --json");
  command->callback([flags, &code] {
    with_bans(*flags,
              [&](bans::store& store, redis::client&, const redis::key_space&) -> awaitable<void> {
                const auto all = co_await store.list();
                for (const auto& b : all) {
                  if (flags->as_json)
                    fmt::print("{}\n", json_text_of(bans::to_json(b)));
                  else
                    fmt::print("{:8} {:40} until {}  by {}  {}\n", bans::to_string(b.of.is),
                               b.of.value, to_rfc3339(b.until), b.author, b.reason);
                }
              });
    code = done;
  });
}

}  // namespace

void add_ban_tools(CLI::App& app, int& code) {
  auto* command =
      app.add_subcommand("ban", "Shut players, API keys, addresses and networks out for a time");
  command->require_subcommand(1);
  command->footer(
      "Examples:\n"
      "  skirmish ban add player joe --reason 'insults in the chat' --for 7d\n"
      "  skirmish ban list\n"
      "  skirmish ban remove player joe");
  const auto flags = std::make_shared<ban_flags>();
  flags->settings.add_to(*command);
  add_add(*command, flags, code);
  add_list(*command, flags, code);
  add_remove(*command, flags, code);
}

}  // namespace skirmish::cli
