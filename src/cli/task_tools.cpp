#include "cli/task_tools.hpp"

#include "builtin_tasks/builtin_tasks.hpp"
#include "cli/broker_flags.hpp"
#include "core/parse.hpp"
#include "diagnostics/announcement.hpp"
#include "tasks/admin/dead_letters.hpp"
#include "tasks/admin/history.hpp"
#include "tasks/beat/beat.hpp"
#include "tasks/protocol/json_text.hpp"
#include "tasks/protocol/message.hpp"
#include "tasks/protocol/wall_time.hpp"

#include <toml++/toml.h>

#include <iostream>
#include <sstream>

namespace skirmish::cli {
namespace {

using namespace std::chrono_literals;
using tasks::broker_view;
using tasks::json;
using tasks::json_array;
using tasks::json_object;

json parse_argument(const std::string& text, const char* what) {
  auto parsed = tasks::parse_json(text);
  if (!parsed) throw usage_error{fmt::format("{} is {}", what, parsed.error().message)};
  return std::move(*parsed);
}

tasks::milliseconds from_seconds(double s) {
  constexpr double longest_s = 1e9;
  if (!(s >= 0 && s <= longest_s))
    throw usage_error{"a number of seconds is between 0 and 1,000,000,000"};
  return tasks::milliseconds(static_cast<std::int64_t>(s * 1000));
}

void print(const json& v) {
  std::cout << tasks::to_json_text(v, tasks::json_dialect::strict) << '\n';
}

// One line an item, `key=value`, for people; JSON with --json.
void print_rows(const json_array& rows, bool as_json) {
  if (as_json) return print(rows);
  for (const auto& row : rows) {
    std::string line;
    for (const auto& [key, value] : row.as_object()) {
      if (key == "message" || key == "traceback") continue;
      line += fmt::format(
          "{}{}={}", line.empty() ? "" : "  ", std::string(key),
          value.is_string() ? std::string(value.get_string()) : tasks::to_json_text(value));
    }
    std::cout << line << '\n';
  }
  if (rows.empty()) std::cout << "nothing\n";
}

std::vector<tasks::periodic_task> read_schedule(const std::string& file) {
  std::vector<tasks::periodic_task> out;
  if (file.empty()) return out;
  std::ostringstream as_json;
  try {
    const auto table = toml::parse_file(file);
    as_json << toml::json_formatter(table);
  } catch (const toml::parse_error& e) {
    throw usage_error{fmt::format("{}: {}", file, e.description())};
  }
  const auto parsed = parse_argument(as_json.str(), "the schedule");
  for (const auto& [name, definition] : parsed.as_object()) {
    if (!definition.is_object())
      throw usage_error{fmt::format("{}: [{}] is no table", file, std::string(name))};
    auto entry = tasks::parse_periodic(std::string(name), definition.get_object());
    if (!entry) throw usage_error{fmt::format("{}: {}", file, entry.error().message)};
    out.push_back(std::move(*entry));
  }
  return out;
}

struct call_flags : broker_flags {
  std::string name, args = "[]", kwargs = "{}", queue, eta;
  double countdown_s = 0, expires_s = 0, timeout_s = 0;
  int priority = 0;
};

int call(const call_flags& f) {
  const auto args = parse_argument(f.args, "--args");
  const auto kwargs = parse_argument(f.kwargs, "--kwargs");
  if (!args.is_array() || !kwargs.is_object())
    throw usage_error{"--args is an array, --kwargs an object"};
  tasks::send_options options;
  options.queue = f.queue;
  options.priority = f.priority;
  if (f.countdown_s != 0) options.countdown = from_seconds(f.countdown_s);
  if (f.expires_s != 0) options.expires = tasks::expiry(from_seconds(f.expires_s));
  if (!f.eta.empty()) {
    const auto eta = tasks::parse_iso(f.eta);
    if (!eta) throw usage_error{"--eta is no time"};
    options.eta = *eta;
  }
  try {
    tasks::app app(f.resolve(), builtin_tasks::options_of(f.keys()));
    f.be_quiet();
    const auto sent = app.send(f.name, args.get_array(), kwargs.get_object(), options);
    if (f.timeout_s != 0)
      print(sent.get(from_seconds(f.timeout_s)));
    else
      std::cout << sent.id() << '\n';
    return done;
  } catch (const tasks::task_failed& e) {
    std::cerr << e.state() << ": " << e.what() << '\n';
  } catch (const tasks::timed_out&) {
    std::cerr << "no result in time\n";
  }
  return failed;
}

void add_call(CLI::App& task, int& code) {
  auto* c = task.add_subcommand("call", "Send a task");
  auto f = std::make_shared<call_flags>();
  f->add_to(*c);
  c->add_option("name", f->name, "task name")->required();
  c->add_option("-a,--args", f->args, "arguments, a JSON array");
  c->add_option("-k,--kwargs", f->kwargs, "keyword arguments, a JSON object");
  c->add_option("--queue", f->queue, "queue");
  c->add_option("--countdown", f->countdown_s, "seconds to wait before it starts");
  c->add_option("--eta", f->eta, "time before which it does not start (ISO 8601)");
  c->add_option("--expires", f->expires_s, "seconds after which it does not start any more");
  c->add_option("--priority", f->priority, "0 is served first, 9 last");
  c->add_option("--wait", f->timeout_s, "wait so many seconds for the result and print it");
  c->footer(
      "Examples:\n"
      "  skirmish task call rebuild_leaderboard -a '[\"global\"]' --wait 60\n"
      "  skirmish task call send_notification -k '{\"player_id\": \"p1\", \"text\": \"hello\"}' "
      "--countdown 3600\n"
      "  skirmish task call proj.add -a '[2, 3]' --queue celery --expires 60 --broker "
      "redis://10.0.0.5/0");
  c->callback([f, &code] { code = call(*f); });
}

struct id_flags : broker_flags {
  std::string id;
  bool terminate = false;
};

void add_result_and_revoke(CLI::App& task, int& code) {
  auto* result = task.add_subcommand("result", "Print a task's state and result");
  auto f = std::make_shared<id_flags>();
  f->add_to(*result);
  result->add_option("id", f->id, "task id")->required();
  result->footer("Examples:\n  skirmish task result 9b554be2-8d2c-4f3e-9d0c-5c1f1c2f7d11");
  result->callback([f, &code] {
    const auto found = with_broker(*f, [&](broker_view at) { return tasks::read_task(at, f->id); });
    if (found)
      print(*found);
    else
      std::cerr << "PENDING: nothing is known of " << f->id << '\n';
    code = found ? done : failed;
  });
  auto* revoke = task.add_subcommand("revoke", "Make workers drop a task");
  auto r = std::make_shared<id_flags>();
  r->add_to(*revoke);
  revoke->add_option("id", r->id, "task id")->required();
  revoke->add_flag("--terminate", r->terminate, "end it even if it runs");
  revoke->footer(
      "Examples:\n"
      "  skirmish task revoke 9b554be2-8d2c-4f3e-9d0c-5c1f1c2f7d11\n"
      "  skirmish task revoke 9b554be2-8d2c-4f3e-9d0c-5c1f1c2f7d11 --terminate");
  revoke->callback([r, &code] {
    with_broker(*r, [&](broker_view at) { return tasks::revoke(at, r->id, r->terminate); });
    code = done;
  });
}

struct broadcast_flags : broker_flags {
  std::string method, args = "{}", destination;
  double timeout_s = 1;
};

// `inspect` and `control` are both broadcasts; control's words are more dangerous.
void add_broadcast(CLI::App& task, int& code, const char* name, const char* help,
                   const char* methods, const char* examples) {
  auto* c = task.add_subcommand(name, help)->footer(examples);
  auto f = std::make_shared<broadcast_flags>();
  f->add_to(*c);
  c->add_option("method", f->method, methods)->required();
  c->add_option("-a,--args", f->args, "arguments, a JSON object");
  c->add_option("-d,--destination", f->destination, "one node (default: all)");
  c->add_option("-t,--timeout", f->timeout_s, "seconds to wait for answers");
  c->callback([f, &code] {
    auto args = parse_argument(f->args, "--args");
    if (!args.is_object()) throw usage_error{"--args is an object"};
    std::vector<std::string> to;
    if (!f->destination.empty()) to.push_back(f->destination);
    const auto answers = with_broker(*f, [&](broker_view at) {
      return tasks::broadcast(at, f->method, args.get_object(), to, from_seconds(f->timeout_s));
    });
    print(answers);
    code = answers.empty() ? failed : done;
  });
}

// How a subcommand of `skirmish task` is called.
std::string example_of(const std::string& call) { return "Examples:\n  skirmish task " + call; }

// A subcommand that asks the broker for rows and prints them.
template <class Ask>
CLI::App* add_rows(CLI::App& to, int& code, const char* name, const char* help, Ask ask,
                   int code_when_found = done) {
  auto* c = to.add_subcommand(name, help);
  const std::string group = to.get_name() == "task" ? "" : to.get_name() + " ";
  c->footer(example_of(group + name) + "\n  skirmish task " + group + name + " --json");
  auto f = std::make_shared<broker_flags>();
  f->add_with_json(*c);
  c->callback([=, &code] {
    const auto rows = with_broker(*f, ask);
    print_rows(rows, f->as_json);
    code = rows.empty() ? done : code_when_found;
  });
  return c;
}

struct named_flags : broker_flags {
  std::string name;
};

// A subcommand that changes something (of one queue or task, when `operand` is given) and says how
// many it were.
template <class Change>
void add_change(CLI::App& to, int& code, const char* name, const char* help, const char* operand,
                bool required, const char* example, Change change) {
  auto* c = to.add_subcommand(name, help)->footer(example_of(example));
  auto f = std::make_shared<named_flags>();
  f->add_to(*c);
  if (operand != nullptr) c->add_option(operand, f->name, operand)->required(required);
  c->callback([=, &code] {
    const auto count = with_broker(*f, [&](broker_view at) { return change(at, f->name); });
    std::cout << count << " messages\n";
    code = done;
  });
}

awaitable<std::int64_t> purge_queue(broker_view at, std::string queue) {
  const auto purged = co_await tasks::purge(at, std::move(queue));
  if (!purged) throw failure(purged.error().code, purged.error().message);
  co_return *purged;
}

void add_queue_tools(CLI::App& task, int& code) {
  add_rows(task, code, "queues", "List queues", [](broker_view at) { return tasks::queues(at); });
  add_rows(task, code, "workers", "List C++ workers",
           [](broker_view at) { return tasks::workers(at); });
  add_change(task, code, "purge", "Remove all messages of a queue", "queue", true, "purge mail",
             [](broker_view at, std::string queue) { return purge_queue(at, std::move(queue)); });
  add_change(task, code, "release",
             "Put tasks with a far eta back on their queues, for Python workers", nullptr, false,
             "release",
             [](broker_view at, const std::string&) { return tasks::release_scheduled(at); });
  for (const bool paused : {true, false}) {
    auto* c =
        task.add_subcommand(paused ? "pause" : "resume",
                            paused ? "C++ workers stop serving a queue" : "They serve it again");
    auto f = std::make_shared<named_flags>();
    f->add_to(*c);
    c->add_option("queue", f->name, "queue")->required();
    c->footer(example_of(paused ? "pause mail" : "resume mail"));
    c->callback([=, &code] {
      const auto ok =
          with_broker(*f, [&](broker_view at) { return tasks::set_paused(at, f->name, paused); });
      if (!ok) throw failure(ok.error().code, ok.error().message);
      code = done;
    });
  }
}

void add_dead_letters(CLI::App& task, int& code) {
  auto* c = task.add_subcommand("deadletter", "Messages that could not be processed");
  c->footer(example_of("deadletter list"));
  c->require_subcommand(1);
  add_rows(*c, code, "list", "Show them, newest first",
           [](broker_view at) { return tasks::newest_dead_letters(at, 1000); });
  add_change(*c, code, "requeue", "Send them again: all, or those of one task", "id", false,
             "deadletter requeue 9b554be2-8d2c-4f3e-9d0c-5c1f1c2f7d11",
             [](broker_view at, std::string id) {
               std::vector<std::string> ids;
               if (!id.empty()) ids.push_back(std::move(id));
               return tasks::requeue_dead_letters(at, std::move(ids));
             });
  add_change(*c, code, "drop", "Forget them all", nullptr, false, "deadletter drop",
             [](broker_view at, const std::string&) { return tasks::drop_dead_letters(at, {}); });
}

constexpr auto history_patience = 30s;

struct history_flags : broker_flags {
  tasks::history_query query;
  std::string state, since, until;
};

std::optional<tasks::wall_time> time_flag(const std::string& text, const char* flag) {
  if (text.empty()) return std::nullopt;
  const auto parsed = tasks::parse_iso(text);
  if (!parsed) throw usage_error{fmt::format("{} is no time", flag)};
  return parsed;
}

void add_history(CLI::App& task, int& code) {
  auto* c = task.add_subcommand("history", "Tasks that were seen, newest first");
  auto f = std::make_shared<history_flags>();
  f->add_with_json(*c);
  c->add_option("--state", f->state, "only in this state, or in these: FAILURE,RETRY");
  c->add_option("--name", f->query.name, "only of this task");
  c->add_option("--worker", f->query.worker, "only of this node");
  c->add_option("--id", f->query.id, "only with this part of an id");
  c->add_option("--arguments", f->query.arguments, "only with this text in their arguments");
  c->add_option("--since", f->since, "only with an event at or after this time (ISO 8601)");
  c->add_option("--until", f->until, "only with an event at or before this time");
  c->add_option("--limit", f->query.limit, "how many")->check(CLI::Range(1, 1000));
  c->footer(
      "Examples:\n"
      "  skirmish task history --state FAILURE --limit 20\n"
      "  skirmish task history --name proj.add --since 2026-11-21T00:00:00Z --json");
  c->callback([f, &code] {
    f->query.since = time_flag(f->since, "--since");
    f->query.until = time_flag(f->until, "--until");
    auto states = tasks::parse_states(f->state);
    if (!states) throw usage_error{"--state: " + states.error().message};
    f->query.states = std::move(*states);
    f->query.time_limit = history_patience;
    const auto page =
        with_broker(*f, [&](broker_view at) { return tasks::read_history(at, f->query); });
    if (!page) throw usage_error{page.error().message};
    print_rows(page->items, f->as_json);
    if (page->is_partial) std::cerr << "the search took too long; there may be more\n";
    code = done;
  });
}

void add_beat(CLI::App& app, int& code) {
  auto* c = app.add_subcommand("beat", "Send periodic tasks; several may run, one leads");
  auto broker = std::make_shared<broker_flags>();
  auto file = std::make_shared<std::string>();
  broker->add_to(*c);
  c->add_option("--schedule", *file, "TOML file: a table for each periodic task")
      ->type_name("FILE");
  c->footer(
      "A table of the file: [nightly] task = \"rebuild_leaderboard\", args = [\"global\"], cron = "
      "\"0 4 "
      "* * *\" (or every = \"30s\"), timezone = \"Europe/Paris\", queue, expires_s, missed = "
      "\"once\" "
      "or \"skip\".\n"
      "Examples:\n"
      "  skirmish beat --schedule beat.toml\n"
      "  skirmish beat --schedule beat.toml --broker redis://10.0.0.5/0");
  c->callback([=, &code] {
    auto schedule = read_schedule(*file);
    const auto url = broker->resolve();
    const auto redis = redis::parse_url(url);
    if (!redis) throw usage_error{"bad broker URL: " + redis.error().message};
    tasks::app owner(url, builtin_tasks::options_of(broker->keys()));
    metrics::registry metrics;
    const diagnostics::announcement announced(*redis, broker->keys(), "beat", 1, metrics);
    code = tasks::run_beat(owner, std::move(schedule));
  });
}

void add_task(CLI::App& app, int& code) {
  auto* task = app.add_subcommand("task", "Send, watch and repair tasks");
  task->require_subcommand(1);
  task->footer(
      "Examples:\n"
      "  skirmish task call echo -a '[1]' --wait 5\n"
      "  skirmish task queues\n"
      "  skirmish task doctor");
  add_call(*task, code);
  add_result_and_revoke(*task, code);
  add_broadcast(*task, code, "inspect",
                "Ask workers (ping, stats, active, reserved, scheduled, registered, …)",
                "for example ping, stats, active",
                "Examples:\n"
                "  skirmish task inspect ping\n"
                "  skirmish task inspect active -d celery@host");
  add_broadcast(*task, code, "control",
                "Tell workers (rate_limit, time_limit, pool_grow, add_consumer, shutdown, …)",
                "for example rate_limit, pool_grow, shutdown",
                "Examples:\n"
                "  skirmish task control pool_grow -a '{\"n\": 2}'\n"
                "  skirmish task control rate_limit -a '{\"task_name\": \"proj.add\", "
                "\"rate_limit\": \"10/m\"}'");
  add_queue_tools(*task, code);
  add_dead_letters(*task, code);
  add_history(*task, code);
  add_rows(
      *task, code, "doctor", "Say what looks wrong; exit code 1 when something does",
      [](broker_view at) { return tasks::diagnose(at); }, failed);
}

}  // namespace

void add_task_tools(CLI::App& app, int& code) {
  add_task_worker(app, code);
  add_beat(app, code);
  add_task(app, code);
  // The other benchmarks stand under the same word.
  CLI::App* bench = nullptr;
  for (auto* c :
       app.get_subcommands([](const CLI::App* one) { return one->get_name() == "bench"; }))
    bench = c;
  if (bench == nullptr)
    bench = app.add_subcommand("bench", "Measure this machine")->require_subcommand(1);
  add_bench_tasks(*bench, code);
  bench->get_subcommand("tasks")->footer("Examples:\n  skirmish bench tasks --tasks 20000");
}

}  // namespace skirmish::cli
