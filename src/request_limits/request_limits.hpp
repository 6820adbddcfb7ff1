// The limits of requests and WebSocket messages: the policies of the configuration, those that were
// set over the API since, and the counting.
//
// A policy that was set lies in Redis. Every server thread looks there twice a second, so that it
// is in force everywhere within one; while Redis is away, what was known last holds.
#pragma once

#include "core/asio.hpp"
#include "http/gate.hpp"
#include "metrics/registry.hpp"
#include "redis/client.hpp"
#include "redis/damaged_keys.hpp"
#include "redis/key_space.hpp"
#include "request_limits/request_policy.hpp"
#include "skirmish/rate_limit.hpp"

#include <array>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace skirmish::request_limits {

enum class origin { built_in, configuration, live };

struct known_policy {
  request_policy is;
  origin from = origin::built_in;
};

// Belongs to the thread of its client.
class service final : public http::gate {
 public:
  // `settings` as configured_policies() takes them. Throws failure{invalid_argument} for bad ones.
  service(redis::client& redis, const redis::key_space& keys, metrics::registry& metrics,
          const setting_list& settings);

  target add_target(std::string_view method, std::string_view name) override;
  [[nodiscard]] bool concerns(target to, http::role as) const noexcept override;
  awaitable<http::passage> pass(target to, http::caller who, std::int64_t cost,
                                std::int64_t paid = 0) override;
  bool passes_at_once(target to, std::string_view address) override;

  // Call it once, when all targets are there; nobody is limited before. Throws
  // failure{invalid_argument} when a configured policy names a route that there is not.
  void targets_complete();

  // All policies in force, by name.
  [[nodiscard]] std::vector<known_policy> list() const;
  // Sets a policy on all servers. `members` over the configured one of this name, if there is one.
  // invalid_argument says what is wrong; conflict: there are too many, or something else lies where
  // they do.
  awaitable<result<known_policy>> put(std::string name, json::object members);
  // Back to the configured one, or to none. not_found when it was not set; conflict as above.
  awaitable<result<void>> remove(std::string name);

  // Follows what other servers set, until cancelled.
  awaitable<void> run();

 private:
  struct table;
  struct named_target {
    std::string method;
    std::string name;
  };

  [[nodiscard]] const request_policy* configured(std::string_view name) const;
  [[nodiscard]] result<void> check_routes_of(const request_policy& p) const;
  // conflict when something else lies where the policies do: what was known last holds.
  awaitable<result<void>> follow_once();
  void apply(std::map<std::string, std::string> stored);
  void rebuild();

  redis::client& redis_;
  const redis::key_space& keys_;
  rate_limiter limiter_;
  std::vector<request_policy> configured_;
  redis::damaged_keys damaged_;
  std::map<std::string, std::string> stored_;  // as they lie in Redis
  std::map<std::string, request_policy> live_;
  std::vector<named_target> targets_;
  std::shared_ptr<const table>
      table_;  // of policies_ by target; a decision under way keeps its own
};

}  // namespace skirmish::request_limits
