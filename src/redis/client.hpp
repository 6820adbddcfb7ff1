// A connection to Redis that mends itself.
//
// A client belongs to one single-threaded io_context; each thread owns its own. It sends what its
// callers give it as one pipeline on one connection, so blocking commands (BLPOP, XREAD BLOCK,
// WAIT) and SUBSCRIBE have no place here.
//
// A caller can rely on what a failure says:
// - unavailable: the request was not executed. There is no connection, or too much is outstanding.
// - too_large: the request was not executed. It alone exceeds what may be outstanding.
// - deadline_exceeded: no reply came, in time or at all. Whether it was executed is unknown.
// Nothing is sent a second time by the client. An error reply is not a failure: see value.hpp.
#pragma once

#include "core/asio.hpp"
#include "redis/client_stats.hpp"
#include "redis/script.hpp"
#include "redis/url.hpp"
#include "redis/value.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/redis/adapter/any_adapter.hpp>
#include <boost/redis/request.hpp>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace skirmish::redis {

using boost::redis::any_adapter;

struct exec_options {
  // Nothing: the configuration's command_timeout.
  std::optional<std::chrono::milliseconds> timeout = std::nullopt;
};

class client {
 public:
  // What an owner wants to hear about; each runs on the client's thread.
  struct events {
    std::function<void()> on_connected = [] {};
    std::function<void()> on_lost = [] {};  // the server's memory of this connection is gone
    // A push (RESP3), in the order of arrival. Nothing is said about the order of pushes and of
    // the callers that go on with their replies.
    std::function<void(const value&)> on_push = [](const value&) {};
  };

  // `name` appears in CLIENT LIST and in the logs. Nothing happens before run().
  client(asio::io_context& io, connection_config config, std::string name);
  ~client();
  client(const client&) = delete;
  client& operator=(const client&) = delete;

  // Call before run().
  void set_events(events handlers);

  // Connects, and connects again whenever the connection is lost (after about 50 ms, at most 1 s),
  // until stop() or its cancellation. Give it to a task_group; the client must outlive it.
  awaitable<void> run();
  void stop();

  // True while commands can be sent: connected, authenticated, and the server has loaded its data.
  // May be asked on any thread.
  [[nodiscard]] bool connected() const noexcept { return connected_; }
  // Waits for that. Throws unavailable when `deadline` passes first; the text says what the last
  // attempt met.
  awaitable<void> wait_connected(std::chrono::steady_clock::duration deadline);

  // Sends the commands as one pipeline; one value a command, in order.
  awaitable<std::vector<value>> exec(request commands, exec_options options = {});

  // One command: `co_await redis.command("HSET", key, "hp", 100)`. Strings and integers. Arguments
  // are copied at once.
  template <class... Args>
  awaitable<value> command(std::string_view name, const Args&... args) {
    request one;
    one.push(name, args...);
    return exec_one(std::move(one), {});
  }

  // Runs the script by its digest, and loads it when the server does not know it. The caller awaits
  // at once: `keys` and `args` are views.
  awaitable<value> eval(const script& code, string_views keys, string_views args,
                        exec_options options = {});

  // For hot paths: decodes the replies straight into `response`, a response type of Boost.Redis or
  // anything with a boost_redis_adapt(). Never `boost::redis::ignore`, and no type that cannot hold
  // what the server may answer: an adapter that reports an error closes the connection. Both
  // references must live until this is done.
  template <class Response>
  awaitable<void> exec_into(const request& commands, Response& response,
                            exec_options options = {}) {
    return exec_adapted(commands, any_adapter(response), options);
  }
  awaitable<void> exec_adapted(const request& commands, any_adapter adapter,
                               exec_options options = {});

  // The server's number for the current connection (CLIENT ID); 0 when not connected or when the
  // server hides it. After a lost reply, CLIENT KILL ID of the old number makes sure that nothing
  // sent on it is still to be executed. This one may be asked on any thread.
  [[nodiscard]] std::int64_t client_id() const noexcept { return client_id_; }
  [[nodiscard]] asio::io_context& context() const noexcept { return io_; }
  [[nodiscard]] const client_stats& stats() const noexcept { return stats_; }
  [[nodiscard]] const connection_config& config() const noexcept { return config_; }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }

 private:
  struct link;
  class admission;

  awaitable<value> exec_one(request command, exec_options options);
  awaitable<void> attempt();
  awaitable<void> attend(std::shared_ptr<link> at);
  awaitable<void> greet(std::shared_ptr<link> at);
  awaitable<void> relay_pushes(std::shared_ptr<link> at);
  void report_loss(std::string problem);
  [[noreturn]] void fail(errc code, std::string_view what);

  asio::io_context& io_;
  connection_config config_;
  std::string name_;
  events events_;
  client_stats stats_;
  std::shared_ptr<link> link_;  // the current attempt; null before the first
  asio::steady_timer pause_;    // between attempts
  asio::steady_timer changed_;  // cancelled whenever connected() changes
  std::atomic<bool> connected_{false};
  std::atomic<std::int64_t> client_id_{0};
  std::string last_problem_;
  unsigned failed_attempts_ = 0;
  bool stopping_ = false;
};

}  // namespace skirmish::redis
