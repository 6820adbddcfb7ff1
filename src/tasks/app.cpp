#include "core/ids.hpp"
#include "core/log.hpp"
#include "core/parse.hpp"
#include "tasks/app_impl.hpp"
#include "tasks/client_loop.hpp"
#include "tasks/protocol/glob.hpp"
#include "tasks/protocol/message.hpp"
#include "tasks/protocol/wall_time.hpp"
#include "tasks/scripts.hpp"

#include <boost/asio/steady_timer.hpp>
#include <unistd.h>

#include <algorithm>
#include <thread>
#include <tuple>

namespace skirmish::tasks {
namespace {

using namespace std::chrono_literals;

// One LPUSH of this many messages blocks Redis for about a millisecond.
constexpr std::size_t push_limit_messages = 500;
constexpr std::size_t pipeline_limit_bytes = 4 << 20;

struct running {
  task_context* context = nullptr;
  running_scope::child_handler on_child;
};
thread_local std::vector<running> running_here;

redis::connection_config parse(const std::string& url, std::chrono::milliseconds timeout) {
  auto parsed = redis::parse_url(url);
  if (!parsed) throw std::invalid_argument("bad Redis URL: " + parsed.error().message);
  parsed->command_timeout = timeout;
  // Batches may be large, and all threads of the caller share the connection.
  parsed->outstanding_limit_bytes = std::size_t{512} << 20;
  return *parsed;
}

// After fork() the child has no such thread, and must not close its parent's connections.
void forget_parents(std::unique_ptr<client_loop>& loop, pid_t owner) {
  if (loop && owner != ::getpid()) std::ignore = loop.release();
}

}  // namespace

running_scope::running_scope(task_context& context, child_handler on_child) {
  running_here.push_back({&context, std::move(on_child)});
}
running_scope::~running_scope() { running_here.pop_back(); }
task_context* running_scope::current() noexcept {
  return running_here.empty() ? nullptr : running_here.back().context;
}
void running_scope::add_child(const json& result_tuple) {
  if (!running_here.empty() && running_here.back().on_child)
    running_here.back().on_child(result_tuple);
}

addressed address(const key_names& keys, const outgoing& m) {
  addressed out;
  out.list = keys.queue(m.queue, priority_step(m.priority));
  out.envelope.reserve(900);
  append_task_envelope(out.envelope, m);
  return out;
}

std::vector<std::pair<std::string, std::string>> chord_keys(const key_names& keys,
                                                            const new_chord& chord) {
  const auto base = keys.group(chord.group_id);
  std::vector<std::pair<std::string, std::string>> out;
  out.emplace_back(base + ".s", std::to_string(chord.size));
  if (!chord.nesting.empty()) out.emplace_back(base, chord.nesting);
  return out;
}

app::impl::impl(std::string given_url, app_options given)
    : options(std::move(given)), url(std::move(given_url)) {
  broker = parse(url, options.operation_timeout);
  results =
      options.result_url.empty() ? broker : parse(options.result_url, options.operation_timeout);
  same_redis = options.result_url.empty() || options.result_url == url;
  keys.prefix = options.global_key_prefix;
  keys.result_prefix = options.result_key_prefix;
  // Celery's Redis backend appends this to a prefix that does not end in a separator.
  if (!keys.result_prefix.empty() &&
      std::string_view(":_-.").find(keys.result_prefix.back()) == std::string_view::npos)
    keys.result_prefix += '_';
  keys.database = broker.database;
  events_.set_enabled(options.send_sent_event);
}

app::impl::~impl() { forget_parents(client_, client_pid_); }

std::string app::impl::route(std::string_view task) const {
  if (const auto found = tasks.find(task);
      found != tasks.end() && !found->second->options.queue.empty())
    return found->second->options.queue;
  for (const auto& [pattern, queue] : options.routes)
    if (glob_match(pattern, task)) return queue;
  return options.default_queue;
}

sending app::impl::sending_now(const task_context* parent) const {
  sending how;
  how.route = router();
  how.now = wall_now();
  if (parent) {
    how.parent_id = parent->id();
    how.root_id = parent->root_id();
  }
  return how;
}

outgoing app::impl::prepare(std::string_view name, json_array args, json_object kwargs,
                            const send_options& given) const {
  outgoing m;
  const auto found = tasks.find(name);
  static const task_options defaults;
  const auto& own = found != tasks.end() ? found->second->options : defaults;
  const auto now = wall_now();
  const auto in_us = [](auto t) {
    return std::chrono::time_point_cast<std::chrono::microseconds>(t);
  };
  const auto seconds = [](const std::optional<milliseconds>& ms) -> std::optional<double> {
    if (!ms) return std::nullopt;
    return static_cast<double>(ms->count()) / 1000.0;
  };
  m.task = name;
  m.id = given.task_id.empty() ? random_uuid() : given.task_id;
  m.queue = given.queue.empty() ? route(name) : given.queue;
  m.priority = given.priority.value_or(own.priority.value_or(0));
  if (given.eta) m.eta = in_us(*given.eta);
  if (given.countdown) m.eta = now + *given.countdown;
  if (given.expires) m.expires = in_us(given.expires->from(std::chrono::system_clock::now()));
  m.hard_limit_s = seconds(given.time_limit);
  m.soft_limit_s = seconds(given.soft_time_limit);
  m.ignore_result = given.ignore_result.value_or(own.ignore_result);
  m.shadow = given.shadow;
  m.headers = given.headers;
  m.dedup_key = given.deduplication_key;
  m.args = std::move(args);
  m.kwargs = std::move(kwargs);
  const auto list = [](const std::vector<signature>& all) -> json {
    if (all.empty()) return nullptr;
    json_array out;
    for (const auto& one : all) out.push_back(one.document());
    return out;
  };
  m.callbacks = list(given.link);
  m.errbacks = list(given.link_error);
  if (const auto* parent = running_scope::current()) {
    m.parent_id = parent->id();
    m.root_id = parent->root_id();
  }
  return m;
}

client_loop& app::impl::client() {
  const std::lock_guard lock(start_mutex_);
  forget_parents(client_, client_pid_);
  if (!client_) {
    client_ = std::make_unique<client_loop>(broker, results);
    client_pid_ = ::getpid();
  }
  return *client_;
}

namespace {

// The commands of a plan, in pipelines of bounded size. new_chords() must be sent first.
std::vector<redis::request> pipelines(const app::impl& app, const plan& what) {
  std::vector<redis::request> out(1);
  std::map<std::string, std::vector<std::string>> by_list;
  const auto flush = [&](const std::string& list, std::vector<std::string>& envelopes) {
    if (envelopes.empty()) return;
    if (out.back().payload().size() > pipeline_limit_bytes) out.emplace_back();
    out.back().push_range("LPUSH", list, envelopes);
    envelopes.clear();
  };
  for (const auto& m : what.messages) {
    auto to = address(app.keys, m);
    auto& waiting = by_list[to.list];
    waiting.push_back(std::move(to.envelope));
    if (waiting.size() >= push_limit_messages) flush(to.list, waiting);
  }
  for (auto& [list, envelopes] : by_list) flush(list, envelopes);
  return out;
}

redis::request new_chords(const app::impl& app, const plan& what) {
  redis::request out;
  const auto ttl = std::max<std::int64_t>(1, app.options.result_expires.count() / 1000);
  for (const auto& chord : what.chords)
    for (const auto& [key, value] : chord_keys(app.keys, chord)) {
      out.push("SETEX", key, ttl, value);
      out.push("PUBLISH", key, value);
    }
  return out;
}

}  // namespace

std::vector<std::string> app::impl::sent_events(const std::vector<outgoing>& messages) {
  if (!options.send_sent_event) return {};
  const std::lock_guard lock(events_mutex_);
  for (const auto& m : messages) events_.sent(m);
  return events_.take_envelopes();
}

std::vector<std::string> app::impl::sent_events(const std::vector<std::string>& fields) {
  if (fields.empty()) return {};
  const std::lock_guard lock(events_mutex_);
  for (const auto& one : fields) events_.sent(one);
  return events_.take_envelopes();
}

void app::impl::publish(plan&& what, const std::optional<publish_retry>& policy) {
  auto& loop = client();
  auto parts = pipelines(*this, what);
  for (const auto& events : sent_events(what.messages)) {
    if (parts.back().payload().size() > pipeline_limit_bytes) parts.emplace_back();
    parts.back().push("PUBLISH", keys.event_channel("task.multi"), events);
  }
  std::size_t sent = 0;
  const auto attempt = [&]() -> awaitable<void> {
    co_await loop.broker().wait_connected(options.operation_timeout);
    auto chords = new_chords(*this, what);
    if (chords.get_commands() > 0) redis::checked(co_await loop.results().exec(std::move(chords)));
    for (; sent < parts.size(); ++sent) redis::checked(co_await loop.broker().exec(parts[sent]));
  };
  auto pause = policy ? policy->interval_start : milliseconds{0};
  for (int tries = 0;; ++tries) {
    try {
      loop.block(attempt);
      return;
    } catch (const failure& e) {
      // After a lost reply the tasks may have been sent, and sending again could double them. So
      // only what was certainly not sent is retried.
      const bool certainly_not_sent = e.code() == errc::unavailable;
      if (!policy || !certainly_not_sent || tries >= policy->max_retries)
        throw broker_unavailable(e.what());
    }
    std::this_thread::sleep_for(pause);
    pause = std::min(pause + policy->interval_step, policy->interval_max);
  }
}

namespace {

std::optional<publish_retry> policy_of(const send_options& given) {
  if (!given.retry.value_or(true)) return std::nullopt;
  return given.retry_policy;
}

std::string publish_one(app::impl& in, outgoing m, const send_options& given) {
  auto id = m.id;
  running_scope::add_child(json_array{json_array{id, nullptr}, nullptr});
  if (given.deduplication_key.empty()) {
    plan one;
    one.messages.push_back(std::move(m));
    in.publish(std::move(one), policy_of(given));
    return id;
  }
  const auto to = address(in.keys, m);
  const auto remember_ms = std::to_string(std::max<std::int64_t>(1, given.deduplicate_for.count()));
  const auto key = in.keys.own("once:", given.deduplication_key);
  const std::vector<outgoing> itself{std::move(m)};
  auto& loop = in.client();
  const auto send = [&]() -> awaitable<std::string> {
    co_await loop.broker().wait_connected(in.options.operation_timeout);
    const std::vector<std::string_view> keys{key, to.list};
    const std::vector<std::string_view> args{id, remember_ms, to.envelope};
    auto reply = redis::checked(co_await loop.broker().eval(scripts::publish_once, keys, args));
    auto sent = reply.as_string();
    if (sent != id || !in.options.send_sent_event) co_return sent;
    const auto told = in.sent_events(itself);
    try {
      co_await loop.broker().command("PUBLISH", in.keys.event_channel("task.multi"), told.at(0));
    } catch (const failure& e) {
      log::warn("task_sent_event_lost", {{"id", id}, {"error", e.what()}});
    }
    co_return sent;
  };
  try {
    return loop.block(send);
  } catch (const failure& e) {
    throw broker_unavailable(e.what());
  }
}

}  // namespace

async_result task_handle::apply_async(json_array args, const send_options& options,
                                      json_object kwargs) const {
  return app_->send(name_, std::move(args), std::move(kwargs), options);
}

std::vector<std::string> task_handle::map(std::span<const json_array> calls,
                                          const send_options& options) const {
  std::vector<std::string> ids;
  ids.reserve(calls.size());
  auto& in = app_->internals();
  // In parts, so that a million calls are not in memory twice.
  constexpr std::size_t part = 5000;
  for (std::size_t from = 0; from < calls.size(); from += part) {
    plan some;
    for (std::size_t i = from; i < std::min(from + part, calls.size()); ++i) {
      auto m = in.prepare(name_, calls[i], {}, options);
      if (i > 0 || options.task_id.empty()) m.id = options.task_id.empty() ? m.id : random_uuid();
      ids.push_back(m.id);
      some.messages.push_back(std::move(m));
    }
    in.publish(std::move(some), policy_of(options));
  }
  return ids;
}

app::app(std::string url, app_options options)
    : impl_(std::make_unique<impl>(std::move(url), std::move(options))) {}
app::~app() = default;

task_handle app::add(task_definition definition) {
  auto name = definition.name;
  if (name.empty()) throw std::invalid_argument("a task needs a name");
  const auto [at, added] =
      impl_->tasks.emplace(name, std::make_shared<task_definition>(std::move(definition)));
  if (!added) throw std::invalid_argument("the task " + name + " is registered twice");
  return {*this, std::move(name)};
}

async_result app::send(std::string_view name, json_array args, json_object kwargs,
                       const send_options& options) {
  auto m = impl_->prepare(name, std::move(args), std::move(kwargs), options);
  return {*this, publish_one(*impl_, std::move(m), options)};
}

namespace {

plan plan_of(const app::impl& in, const signature& work) {
  plan made;
  const auto ok = expand(json(work.document()), {}, in.sending_now(running_scope::current()), made);
  if (!ok) throw std::invalid_argument(ok.error().message);
  return made;
}

}  // namespace

async_result app::send(const signature& work) {
  auto made = plan_of(*impl_, work);
  if (made.member_ids) throw std::invalid_argument("work that ends in a group: use send_group");
  auto id = made.last_id;
  running_scope::add_child(made.result_tuple);
  impl_->publish(std::move(made), publish_retry{});
  return {*this, std::move(id)};
}

group_result app::send_group(const signature& work) {
  auto made = plan_of(*impl_, work);
  if (!made.member_ids) made = plan_of(*impl_, group({work}));
  auto gid = made.last_id;
  std::vector<async_result> results;
  for (auto& id : *made.member_ids) results.emplace_back(*this, std::move(id));
  running_scope::add_child(made.result_tuple);
  impl_->publish(std::move(made), publish_retry{});
  return {std::move(gid), std::move(results)};
}

group_result app::send_group(const std::vector<signature>& members) {
  return send_group(group(members));
}

}  // namespace skirmish::tasks
