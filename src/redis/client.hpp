// A connection to Redis that mends itself.
//
// A client belongs to one single-threaded io_context; each thread owns its own. It may be destroyed
// while callers wait for replies: they get their failure, and touch nothing of it. It sends what
// its callers give it as one pipeline on one connection, so blocking commands (BLPOP, XREAD BLOCK,
// WAIT) and SUBSCRIBE have no place here.
//
// A caller can rely on what a failure says:
// - unavailable: the request was not executed. There is no connection, or too much is outstanding.
// - too_large: the request was not executed. It alone exceeds what may be outstanding.
// - deadline_exceeded: no reply came, in time or at all. Whether it was executed is unknown.
// Nothing is sent a second time by the client. An error reply is not a failure: see value.hpp.
//
// Only a master is served from: a replica counts as "not connected", and a connection whose server
// becomes a replica is left (at once when a reply says so, else within two seconds).
#pragma once

#include "core/asio.hpp"
#include "redis/client_stats.hpp"
#include "redis/script.hpp"
#include "redis/url.hpp"
#include "redis/value.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/redis/request.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace skirmish::redis {

struct exec_options {
  // Nothing: the configuration's command_timeout.
  std::optional<std::chrono::milliseconds> timeout = std::nullopt;
  // Receives the number of the connection that the request was sent on (client::connection()), 0
  // when it was not sent. Must live until the call is done.
  std::uint64_t* sent_on = nullptr;
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
  // until stop() or its cancellation, or until the client is destroyed. Give it to a task_group.
  awaitable<void> run();
  void stop();

  // True while commands can be sent: connected, authenticated, and the server has loaded its data.
  // May be asked on any thread.
  [[nodiscard]] bool connected() const noexcept;
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

  // The number of the current connection, counted by this client from 1, so that no two
  // connections have the same, whatever servers they reach (CLIENT ID starts again with each
  // server process); 0 when not connected. May be asked on any thread.
  [[nodiscard]] std::uint64_t connection() const noexcept;
  // After a lost reply: makes sure that nothing that was sent on the connection `lost` is still to
  // be executed by the server that this client is connected to now. Does nothing when that is the
  // current connection, 0, or one to a server process that is not the current one. Throws as
  // command().
  awaitable<void> kill_connection(std::uint64_t lost);
  // The process (run_id of INFO) that serves the current connection, or served the last one; empty
  // when the server hides it. Ask on the client's thread.
  [[nodiscard]] const std::string& server_process() const noexcept;
  [[nodiscard]] asio::io_context& context() const noexcept;
  [[nodiscard]] const client_stats& stats() const noexcept;
  [[nodiscard]] const connection_config& config() const noexcept;
  [[nodiscard]] const std::string& name() const noexcept;

 private:
  struct link;
  class admission;
  struct core;

  awaitable<value> exec_one(request command, exec_options options);

  std::shared_ptr<core> core_;  // also held by every coroutine that waits
};

}  // namespace skirmish::redis
