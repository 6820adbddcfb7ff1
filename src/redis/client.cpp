#include "redis/client.hpp"

#include "core/event.hpp"
#include "core/log.hpp"
#include "core/message_of.hpp"
#include "redis/backoff.hpp"
#include "redis/link.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/cancel_at.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <utility>

namespace skirmish::redis {
namespace {

using boost::redis::any_adapter;
using namespace std::chrono_literals;
using namespace asio::experimental::awaitable_operators;

constexpr auto loading_poll_interval = 100ms;
constexpr auto role_interval = 2s;
// Connections that are remembered, to be killed after a lost reply.
constexpr std::size_t connections_kept = 64;

const std::string not_master = "the server is a replica";

// `name` of a line `name=value` or `name:value`; empty when it is not there.
std::string word_after(const std::string& text, std::string_view name) {
  const auto at = text.find(name);
  if (at == std::string::npos) return {};
  const auto begin = at + name.size();
  return text.substr(begin, text.find_first_of(" \r\n", begin) - begin);
}

bool says_replica(const value& hello) {
  const auto* role = hello.find("role");
  return role != nullptr && (role->as_string() == "replica" || role->as_string() == "slave");
}

// What a replica answers to a write, also to one inside EXEC.
bool says_read_only(const std::vector<value>& replies) {
  const auto is_refusal = [](const value& v) {
    return v.is_error() && v.as_string().starts_with("READONLY");
  };
  return std::ranges::any_of(replies, [&](const value& reply) {
    return is_refusal(reply) || (reply.is_aggregate() && reply.size() > 0 && reply.size() < 100 &&
                                 std::ranges::any_of(reply.elements(), is_refusal));
  });
}

awaitable<bool> is_cancelled() {
  const auto state = co_await asio::this_coro::cancellation_state;
  co_return state.cancelled() != asio::cancellation_type::none;
}

}  // namespace

// Counts a request as outstanding while it lives.
class client::admission {
 public:
  admission(client_stats& stats, const request& commands)
      : stats_(stats), bytes_(commands.payload().size()) {
    stats_.commands += commands.get_commands();
    stats_.in_flight += 1;
    stats_.in_flight_bytes += bytes_;
  }
  ~admission() {
    stats_.in_flight -= 1;
    stats_.in_flight_bytes -= bytes_;
  }
  admission(const admission&) = delete;
  admission& operator=(const admission&) = delete;

 private:
  client_stats& stats_;
  std::size_t bytes_;
};

// What a client is. Every coroutine that waits holds it, so that the client itself may go.
struct client::core {
  core(asio::io_context& loop, connection_config configuration, std::string own_name)
      : io(loop),
        config(std::move(configuration)),
        name(std::move(own_name)),
        stopped(loop),
        changed(loop) {}

  // Each of these may outlive the client.
  static awaitable<void> run(std::shared_ptr<core> self);
  static awaitable<void> wait_connected(std::shared_ptr<core> self,
                                        std::chrono::steady_clock::duration deadline);
  static awaitable<void> exec_adapted(std::shared_ptr<core> self, const request& commands,
                                      any_adapter adapter, exec_options options);
  static awaitable<std::vector<value>> exec(std::shared_ptr<core> self, request commands,
                                            exec_options options);
  static awaitable<value> exec_one(std::shared_ptr<core> self, request command,
                                   exec_options options);
  static awaitable<value> eval(std::shared_ptr<core> self, const script& code, string_views keys,
                               string_views args, exec_options options);
  static awaitable<void> kill_connection(std::shared_ptr<core> self, std::uint64_t lost);

  void stop();
  void abandon();

  asio::io_context& io;
  connection_config config;
  std::string name;
  events handlers;
  client_stats stats;
  std::shared_ptr<link> at;  // the current attempt; null before the first
  event stopped;             // ends the pause between attempts
  event changed;             // set whenever `connected` changes
  // How the server knows a connection.
  struct known_connection {
    std::uint64_t number = 0;  // ours
    std::string id;            // CLIENT ID; empty when the server hides it
    std::string address;       // of our end, as the server sees it
    std::string process;       // run_id of the server
  };
  std::atomic<bool> connected{false};
  std::atomic<std::uint64_t> connection{0};
  std::uint64_t connections_made = 0;
  std::deque<known_connection> known;  // the newest last
  std::string server_process;
  std::string last_problem;
  std::string left_because;  // the current connection was ended by us
  unsigned failed_attempts = 0;
  bool stopping = false;
  bool abandoned = false;  // the client is gone, and maybe its owner

 private:
  awaitable<void> attempt();
  awaitable<void> attend(std::shared_ptr<link> current);
  awaitable<void> greet(std::shared_ptr<link> current);
  void take_over(const std::vector<value>& greeting);
  void report_connected();
  awaitable<void> relay_pushes(std::shared_ptr<link> current);
  awaitable<void> watch_role(std::shared_ptr<link> current);
  void leave(std::uint64_t number, const std::string& why);
  void call(const std::function<void()>& handler);
  void report_loss(std::string problem);
  [[noreturn]] void fail(errc code, std::string_view what);
  [[nodiscard]] std::string_view why_not_connected() const;
};

client::client(asio::io_context& io, connection_config config, std::string name)
    : core_(std::make_shared<core>(io, std::move(config), std::move(name))) {}

client::~client() { core_->abandon(); }

void client::set_events(events handlers) { core_->handlers = std::move(handlers); }
awaitable<void> client::run() { return core::run(core_); }
void client::stop() { core_->stop(); }
bool client::connected() const noexcept { return core_->connected; }
std::uint64_t client::connection() const noexcept { return core_->connection; }
const std::string& client::server_process() const noexcept { return core_->server_process; }
awaitable<void> client::kill_connection(std::uint64_t lost) {
  return core::kill_connection(core_, lost);
}
asio::io_context& client::context() const noexcept { return core_->io; }
const client_stats& client::stats() const noexcept { return core_->stats; }
const connection_config& client::config() const noexcept { return core_->config; }
const std::string& client::name() const noexcept { return core_->name; }

awaitable<void> client::wait_connected(std::chrono::steady_clock::duration deadline) {
  return core::wait_connected(core_, deadline);
}

awaitable<std::vector<value>> client::exec(request commands, exec_options options) {
  return core::exec(core_, std::move(commands), options);
}

awaitable<value> client::exec_one(request command, exec_options options) {
  return core::exec_one(core_, std::move(command), options);
}

awaitable<value> client::eval(const script& code, string_views keys, string_views args,
                              exec_options options) {
  return core::eval(core_, code, keys, args, options);
}

void client::core::stop() {
  stopping = true;
  stopped.set();
  if (at) at->connection.cancel();
}

// Ends all who wait. On a loop that has ended, nobody will be resumed.
void client::core::abandon() {
  abandoned = true;
  connected = false;
  stopping = true;
  if (io.stopped()) return;
  stop();
  changed.set();
}

awaitable<void> client::core::run(std::shared_ptr<core> self) {
  co_await asio::this_coro::throw_if_cancelled(false);
  while (!self->stopping) {
    co_await self->attempt();
    if (self->stopping) break;
    if (co_await is_cancelled()) break;
    const auto pause = backoff(self->failed_attempts);
    ++self->failed_attempts;
    co_await self->stopped.wait_for(pause);
    if (co_await is_cancelled()) break;
  }
}

// One connection from its beginning to its end. Each has a Boost.Redis connection of its own, so
// that nothing of a lost one (half-sent requests, replies that never came) can reach the next.
awaitable<void> client::core::attempt() {
  std::shared_ptr<link> current;
  try {
    current = std::make_shared<link>(io, config, name);
  } catch (const std::exception& e) {  // unreadable certificates
    report_loss(e.what());
  }
  if (!current) co_return;
  at = current;
  co_await (current->run() || attend(current));
  const bool was_ready = connected.exchange(false);
  connection = 0;
  // Whoever waits for a reply learns now that none will come.
  current->connection.cancel();
  changed.set();
  report_loss(left_because.empty() ? current->problem() : std::exchange(left_because, {}));
  if (was_ready) call(handlers.on_lost);
}

// An owner's handler that throws must not end the connection. One that is gone hears nothing.
void client::core::call(const std::function<void()>& handler) {
  if (abandoned) return;
  try {
    handler();
  } catch (...) {
    log::error("redis_event_handler_failed",
               {{"client", name}, {"error", message_of(std::current_exception())}});
  }
}

void client::core::report_loss(std::string problem) {
  last_problem = std::move(problem);
  if (stopping) return;
  // All clients of a process lose a server at once.
  const auto server = to_string_masked(config);
  log::repeated(log::level::warn, server + last_problem, "redis_unavailable",
                {{"client", name}, {"server", server}, {"error", last_problem}});
}

awaitable<void> client::core::attend(std::shared_ptr<link> current) {
  co_await greet(current);
  if (!connected) co_return;
  co_await (relay_pushes(current) || watch_role(current));
}

// Learns who serves the connection, and waits until the server has loaded its data. A replica is
// left again: where a name or Sentinel leads may be another server by then.
awaitable<void> client::core::greet(std::shared_ptr<link> current) {
  request hello;
  hello.push("HELLO");
  hello.push("CLIENT", "INFO");
  hello.push("INFO", "server");
  hello.push("PING");
  std::vector<value> replies;
  while (true) {
    replies.clear();
    any_adapter adapter(replies);
    const auto [problem, bytes] = co_await current->connection.async_exec(
        hello, std::move(adapter), asio::as_tuple(use_awaitable));
    if (problem) co_return;
    if (says_replica(replies.at(0))) {
      left_because = not_master;
      co_return;
    }
    const auto& answer = replies.at(3).as_string();
    if (answer == "PONG") break;
    last_problem = answer;  // LOADING, for example
    asio::steady_timer timer(io, loading_poll_interval);
    error_code ignored;
    co_await timer.async_wait(asio::redirect_error(use_awaitable, ignored));
  }
  current->set_no_delay();
  take_over(replies);
  report_connected();
  changed.set();
  call(handlers.on_connected);
}

// A function of its own: g++ 12 miscompiles the list of fields in a coroutine.
void client::core::report_connected() {
  const auto server = to_string_masked(config);
  if (connections_made == 1)
    log::info("redis_connected", {{"client", name}, {"server", server}});
  else
    log::repeated(log::level::info, server, "redis_connected",
                  {{"client", name}, {"server", server}, {"again", true}});
}

void client::core::take_over(const std::vector<value>& greeting) {
  const auto& mine = greeting.at(1).as_string();  // id=7 addr=127.0.0.1:40000 laddr=…
  known_connection at{++connections_made, word_after(mine, "id="), word_after(mine, " addr="),
                      word_after(greeting.at(2).as_string(), "run_id:")};
  server_process = at.process;
  known.push_back(std::move(at));
  if (known.size() > connections_kept) known.pop_front();
  connection = connections_made;
  connected = true;
  failed_attempts = 0;
  stats.connections += 1;
}

// A master that was made a replica tells nobody, and a subscriber would never notice.
awaitable<void> client::core::watch_role(std::shared_ptr<link> current) {
  request ask;
  ask.push("HELLO");
  asio::steady_timer timer(io);
  while (true) {
    timer.expires_after(role_interval);
    error_code ended;
    co_await timer.async_wait(asio::redirect_error(use_awaitable, ended));
    if (ended) co_return;
    std::vector<value> replies;
    any_adapter adapter(replies);
    const auto [problem, bytes] = co_await current->connection.async_exec(
        ask, std::move(adapter), asio::as_tuple(use_awaitable));
    if (problem) co_return;
    if (says_replica(replies.at(0))) {
      left_because = not_master;
      co_return;
    }
  }
}

// Ends the connection, so that another server can be found.
void client::core::leave(std::uint64_t number, const std::string& why) {
  if (connection != number || !at) return;
  left_because = why;
  at->connection.cancel();
}

awaitable<void> client::core::kill_connection(std::shared_ptr<core> self, std::uint64_t lost) {
  if (lost == 0 || lost == self->connection) co_return;
  const auto is_it = [lost](const known_connection& c) { return c.number == lost; };
  const auto found = std::ranges::find_if(self->known, is_it);
  // Another process has never seen that connection, and may have given its number to a stranger.
  if (found == self->known.end() || found->id.empty() || found->process != self->server_process)
    co_return;
  request kill;
  kill.push("CLIENT", "KILL", "ID", found->id, "ADDR", found->address);
  const exec_options options;
  co_await exec(self, std::move(kill), options);
}

// Boost.Redis stops reading when pushes are not taken away, so they always are.
awaitable<void> client::core::relay_pushes(std::shared_ptr<link> current) {
  while (true) {
    const auto [problem] =
        co_await current->connection.async_receive2(asio::as_tuple(use_awaitable));
    const auto pushes = std::exchange(current->pushes, {});
    for (const auto& push : pushes) call([&] { handlers.on_push(push); });
    if (problem) co_return;
  }
}

awaitable<void> client::core::wait_connected(std::shared_ptr<core> self,
                                             std::chrono::steady_clock::duration deadline) {
  const auto limit = std::chrono::steady_clock::now() + deadline;
  while (!self->connected) {
    if (self->stopping || std::chrono::steady_clock::now() >= limit)
      self->fail(errc::unavailable, self->why_not_connected());
    co_await self->changed.wait_until(limit);
  }
}

void client::core::fail(errc code, std::string_view what) {
  stats.failures += 1;
  throw failure(code, fmt::format("redis {}: {}", name, what));
}

std::string_view client::core::why_not_connected() const {
  return last_problem.empty() ? std::string_view("not connected") : last_problem;
}

awaitable<void> client::core::exec_adapted(std::shared_ptr<core> self, const request& commands,
                                           any_adapter adapter, exec_options options) {
  if (options.sent_on) *options.sent_on = 0;
  if (commands.get_commands() == 0) co_return;
  if (!self->connected) self->fail(errc::unavailable, self->why_not_connected());
  const auto bytes = commands.payload().size();
  if (bytes > self->config.outstanding_limit_bytes)
    self->fail(errc::too_large, fmt::format("a request of {} bytes", bytes));
  if (self->stats.in_flight >= self->config.outstanding_limit_requests ||
      self->stats.in_flight_bytes + bytes > self->config.outstanding_limit_bytes)
    self->fail(errc::unavailable, "too many requests are outstanding");

  const auto at = self->at;
  if (options.sent_on) *options.sent_on = self->connection;
  const admission counted(self->stats, commands);
  const auto timeout = options.timeout.value_or(self->config.command_timeout);
  const auto limit = std::chrono::steady_clock::now() + timeout;
  const auto [problem, reply_bytes] = co_await at->connection.async_exec(
      commands, std::move(adapter), asio::cancel_at(limit, asio::as_tuple(use_awaitable)));
  if (!problem) co_return;
  if (co_await is_cancelled()) throw boost::system::system_error(asio::error::operation_aborted);
  if (problem != asio::error::operation_aborted)
    self->fail(errc::internal, "a reply could not be read: " + problem.message());
  if (std::chrono::steady_clock::now() < limit)
    self->fail(errc::deadline_exceeded, "the connection was lost before the reply came");
  self->fail(errc::deadline_exceeded, fmt::format("no reply within {} ms", timeout.count()));
}

awaitable<std::vector<value>> client::core::exec(std::shared_ptr<core> self, request commands,
                                                 exec_options options) {
  std::vector<value> replies;
  replies.reserve(commands.get_expected_responses());
  any_adapter adapter(replies);
  std::uint64_t sent_on = 0;
  if (!options.sent_on) options.sent_on = &sent_on;
  co_await exec_adapted(self, commands, std::move(adapter), options);
  if (says_read_only(replies)) self->leave(*options.sent_on, not_master);
  co_return replies;
}

awaitable<value> client::core::exec_one(std::shared_ptr<core> self, request command,
                                        exec_options options) {
  auto replies = co_await exec(self, std::move(command), options);
  co_return std::move(replies.at(0));
}

awaitable<value> client::core::eval(std::shared_ptr<core> self, const script& code,
                                    string_views keys, string_views args, exec_options options) {
  request by_digest;
  push_evalsha(by_digest, code, keys, args);
  // Built before the first suspension, while the views are surely alive.
  auto reply = co_await exec_one(self, std::move(by_digest), options);
  if (!is_noscript(reply)) co_return reply;
  request by_source;
  push_eval(by_source, code, keys, args);
  co_return co_await exec_one(self, std::move(by_source), options);
}

}  // namespace skirmish::redis
