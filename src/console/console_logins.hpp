// Logging in and out of the console: how often that may be tried, and what the audit log says of
// it.
#pragma once

#include "http/router.hpp"
#include "metrics/registry.hpp"
#include "redis/client.hpp"
#include "redis/key_space.hpp"
#include "skirmish/rate_limit.hpp"

#include <optional>
#include <string>

namespace skirmish::console {

// The route of logging in and out.
inline constexpr std::string_view session_path = "/api/console/session";

// Of one server thread. Its limits hold on all servers together. Failures never delay a key that is
// right, so nobody can lock an operator out from another address.
class login_guard {
 public:
  login_guard(redis::client& redis, const redis::key_space& keys, metrics::registry& metrics,
              http::change_recorder& recorder)
      : recorder_(recorder), limiter_(redis, {.space = keys, .metrics = &metrics}) {}

  // Counts a try by its address, before the key is looked at; the answer when there were too many.
  awaitable<std::optional<http::response>> admit_address(http::exchange& x);
  // Counts one with a good key.
  awaitable<std::optional<http::response>> admit_key(http::exchange& x);
  // Counts and notes one that failed for `why`, and returns its answer. The key's id is x.who.id.
  awaitable<http::response> fail(http::exchange& x, error why);

  // What x.who does, noted before and after. Throws unavailable when it cannot be noted.
  awaitable<http::response> noted(http::exchange& x, http::handler work);

 private:
  awaitable<std::optional<http::response>> take(http::exchange& x, rate_policy policy,
                                                std::string subject);
  awaitable<void> note_failure(http::exchange& x, int status);

  http::change_recorder& recorder_;
  rate_limiter limiter_;
};

}  // namespace skirmish::console
