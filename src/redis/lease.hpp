// One leader among many servers: who holds the lease does what only one needs to do.
//
// A lease is a string with a token and a TTL. A leader that stops for longer than the TTL may meet
// its successor at work, so what a leader writes must be right even then (a fence, a compare-and-
// set): the lease saves work, it does not protect data.
#pragma once

#include "redis/client.hpp"

#include <chrono>
#include <functional>
#include <string>

namespace skirmish::redis {

class lease {
 public:
  lease(client& redis, std::string key, std::chrono::milliseconds ttl, exec_options options = {});

  // Takes or renews it; true when it is held now. Throws failure when Redis does not answer.
  awaitable<bool> hold();
  // Gives it back, if it is still held, so that the next leader need not wait. Throws as hold().
  awaitable<void> release();
  // The same at the end of a leader, which has no use for a failure: then it runs out by itself.
  // Asks nothing when it has not been held.
  awaitable<void> give_back();
  [[nodiscard]] const std::string& token() const noexcept { return token_; }

 private:
  client& redis_;
  std::string key_;
  std::string ttl_ms_;
  exec_options options_;
  std::string token_;
  bool may_be_held_ = false;  // also when the answer is not known
};

// Awaits `work`, and gives the lease back whatever ends that, a cancellation too: so end it before
// the client.
awaitable<void> give_back_after(lease& mine, std::function<awaitable<void>()> work);

// Calls `work` every `interval` while `mine` is held, until cancelled; `work` that returns true has
// more to do and is called again at once. What `work` throws as a `failure` is logged under `name`,
// and the next round tries again. `mine` should live for about three intervals; it is given back at
// the end. Await this while it lives.
awaitable<void> run_led(client& redis, lease& mine, std::chrono::milliseconds interval,
                        std::string name, std::function<awaitable<bool>()> work);

}  // namespace skirmish::redis
