#include "redis/client.hpp"

#include "core/log.hpp"
#include "redis/link.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/cancel_at.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <utility>

namespace skirmish::redis {
namespace {

using namespace std::chrono_literals;
using namespace asio::experimental::awaitable_operators;

constexpr auto backoff_first = 50ms;
constexpr auto backoff_limit = 1'000ms;
constexpr auto loading_poll_interval = 100ms;
// While the server stays away, one log line in so many attempts.
constexpr unsigned attempts_per_log_line = 30;

// Doubles with each failed attempt, and is spread so that many clients do not come back at the same
// instant.
std::chrono::milliseconds backoff(unsigned failed_attempts) {
  const auto doubled = backoff_first * (1U << std::min(failed_attempts, 5U));
  const auto longest = std::min<std::chrono::milliseconds>(doubled, backoff_limit);
  thread_local std::minstd_rand random{std::random_device{}()};
  return std::chrono::milliseconds(
      std::uniform_int_distribution<std::int64_t>(longest.count() / 2, longest.count())(random));
}

awaitable<bool> is_cancelled() {
  const auto state = co_await asio::this_coro::cancellation_state;
  co_return state.cancelled() != asio::cancellation_type::none;
}

// An owner's handler that throws must not end the connection.
void call(const std::string& client, const std::function<void()>& handler) {
  try {
    handler();
  } catch (const std::exception& e) {
    log::error("redis_event_handler_failed", {{"client", client}, {"error", e.what()}});
  }
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

client::client(asio::io_context& io, connection_config config, std::string name)
    : io_(io), config_(std::move(config)), name_(std::move(name)), pause_(io), changed_(io) {
  changed_.expires_at(asio::steady_timer::time_point::max());
}

client::~client() = default;

void client::set_events(events handlers) { events_ = std::move(handlers); }

void client::stop() {
  stopping_ = true;
  pause_.cancel();
  if (link_) link_->connection.cancel();
}

awaitable<void> client::run() {
  co_await asio::this_coro::throw_if_cancelled(false);
  while (!stopping_) {
    co_await attempt();
    if (stopping_ || co_await is_cancelled()) break;
    pause_.expires_after(backoff(failed_attempts_));
    ++failed_attempts_;
    error_code ignored;
    co_await pause_.async_wait(asio::redirect_error(use_awaitable, ignored));
    if (co_await is_cancelled()) break;
  }
}

// One connection from its beginning to its end. Each has a Boost.Redis connection of its own, so
// that nothing of a lost one (half-sent requests, replies that never came) can reach the next.
awaitable<void> client::attempt() {
  std::shared_ptr<link> current;
  try {
    current = std::make_shared<link>(io_, config_, name_);
  } catch (const std::exception& e) {  // unreadable certificates
    report_loss(e.what());
  }
  if (!current) co_return;
  link_ = current;
  co_await (current->run() || attend(current));
  const bool was_ready = connected_.exchange(false);
  client_id_ = 0;
  // Whoever waits for a reply learns now that none will come.
  current->connection.cancel();
  changed_.cancel();
  report_loss(current->problem());
  if (was_ready) call(name_, events_.on_lost);
}

void client::report_loss(std::string problem) {
  last_problem_ = std::move(problem);
  const bool is_news = failed_attempts_ % attempts_per_log_line == 0;
  if (stopping_ || !is_news) return;
  log::warn("redis_unavailable",
            {{"client", name_}, {"server", to_string_masked(config_)}, {"error", last_problem_}});
}

awaitable<void> client::attend(std::shared_ptr<link> at) {
  co_await greet(at);
  if (!connected_) co_return;
  co_await relay_pushes(at);
}

// Learns the connection's number and waits until the server has loaded its data.
awaitable<void> client::greet(std::shared_ptr<link> at) {
  request hello;
  hello.push("CLIENT", "ID");
  hello.push("PING");
  std::int64_t number = 0;
  while (true) {
    std::vector<value> replies;
    any_adapter adapter(replies);
    const auto [problem, bytes] = co_await at->connection.async_exec(hello, std::move(adapter),
                                                                     asio::as_tuple(use_awaitable));
    if (problem) co_return;
    number = replies.at(0).as_integer().value_or(0);
    const auto& answer = replies.at(1).as_string();
    if (answer == "PONG") break;
    last_problem_ = answer;  // LOADING, for example
    asio::steady_timer timer(io_, loading_poll_interval);
    error_code ignored;
    co_await timer.async_wait(asio::redirect_error(use_awaitable, ignored));
  }
  at->set_no_delay();
  client_id_ = number;
  connected_ = true;
  failed_attempts_ = 0;
  stats_.connections += 1;
  log::info("redis_connected", {{"client", name_}, {"server", to_string_masked(config_)}});
  changed_.cancel();
  call(name_, events_.on_connected);
}

// Boost.Redis stops reading when pushes are not taken away, so they always are.
awaitable<void> client::relay_pushes(std::shared_ptr<link> at) {
  while (true) {
    const auto [problem] = co_await at->connection.async_receive2(asio::as_tuple(use_awaitable));
    const auto pushes = std::exchange(at->pushes, {});
    for (const auto& push : pushes) call(name_, [&] { events_.on_push(push); });
    if (problem) co_return;
  }
}

awaitable<void> client::wait_connected(std::chrono::steady_clock::duration deadline) {
  const auto limit = std::chrono::steady_clock::now() + deadline;
  while (!connected()) {
    if (stopping_ || std::chrono::steady_clock::now() >= limit)
      fail(errc::unavailable, last_problem_.empty() ? "not connected" : last_problem_);
    error_code ignored;
    co_await changed_.async_wait(
        asio::cancel_at(limit, asio::redirect_error(use_awaitable, ignored)));
  }
}

void client::fail(errc code, std::string_view what) {
  stats_.failures += 1;
  throw failure(code, fmt::format("redis {}: {}", name_, what));
}

awaitable<void> client::exec_adapted(const request& commands, any_adapter adapter,
                                     exec_options options) {
  if (commands.get_commands() == 0) co_return;
  if (!connected())
    fail(errc::unavailable, last_problem_.empty() ? "not connected" : last_problem_);
  const auto bytes = commands.payload().size();
  if (bytes > config_.outstanding_limit_bytes)
    fail(errc::too_large, fmt::format("a request of {} bytes", bytes));
  if (stats_.in_flight >= config_.outstanding_limit_requests ||
      stats_.in_flight_bytes + bytes > config_.outstanding_limit_bytes)
    fail(errc::unavailable, "too many requests are outstanding");

  const auto at = link_;
  const admission counted(stats_, commands);
  const auto timeout = options.timeout.value_or(config_.command_timeout);
  const auto limit = std::chrono::steady_clock::now() + timeout;
  const auto [problem, reply_bytes] = co_await at->connection.async_exec(
      commands, std::move(adapter), asio::cancel_at(limit, asio::as_tuple(use_awaitable)));
  if (!problem) co_return;
  if (co_await is_cancelled()) throw boost::system::system_error(asio::error::operation_aborted);
  if (problem != asio::error::operation_aborted)
    fail(errc::internal, "a reply could not be read: " + problem.message());
  if (std::chrono::steady_clock::now() < limit)
    fail(errc::deadline_exceeded, "the connection was lost before the reply came");
  fail(errc::deadline_exceeded, fmt::format("no reply within {} ms", timeout.count()));
}

awaitable<std::vector<value>> client::exec(request commands, exec_options options) {
  std::vector<value> replies;
  replies.reserve(commands.get_expected_responses());
  any_adapter adapter(replies);
  co_await exec_adapted(commands, std::move(adapter), options);
  co_return replies;
}

awaitable<value> client::exec_one(request command, exec_options options) {
  auto replies = co_await exec(std::move(command), options);
  co_return std::move(replies.at(0));
}

awaitable<value> client::eval(const script& code, string_views keys, string_views args,
                              exec_options options) {
  request by_digest;
  push_evalsha(by_digest, code, keys, args);
  // Built before the first suspension, while the views are surely alive.
  auto reply = co_await exec_one(std::move(by_digest), options);
  if (!is_noscript(reply)) co_return reply;
  request by_source;
  push_eval(by_source, code, keys, args);
  co_return co_await exec_one(std::move(by_source), options);
}

}  // namespace skirmish::redis
