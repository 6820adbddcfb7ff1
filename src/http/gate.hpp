// How often who may ask: what the router and the WebSocket gateway look at before they serve
// something. request_limits/ is the implementation.
#pragma once

#include "core/asio.hpp"
#include "core/error.hpp"
#include "http/exchange.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace skirmish::http {

// Who asks, as limits count it.
struct caller {
  role as = role::anonymous;
  std::string id;       // of a player or an API key
  std::string address;  // counted_address()
};
caller caller_of(const principal& who, std::string_view remote_address);

// Whether it may pass, and what the limits say of themselves.
struct passage {
  bool allowed = true;
  std::string limit;  // the one that refuses
  // Until it may be tried again; max() when it costs more than may be spent at once.
  std::chrono::milliseconds retry_after{0};
  // The fields RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers-11); empty
  // without a limit.
  std::string policies;
  std::string state;
};

// rate_limited, or too_large when trying again is in vain.
error refusal_of(const passage& refused);

// What the elements of an array cost; anything else costs 1.
std::int64_t cost_of(const json::value& body) noexcept;

// Belongs to one thread.
class gate {
 public:
  using target = std::size_t;
  static constexpr target unlimited = static_cast<target>(-1);

  virtual ~gate() = default;

  // Something that can be limited: a route ("GET", "/api/players/{id}") or a type of WebSocket
  // message ("WS", "chat").
  virtual target add_target(std::string_view method, std::string_view name) = 0;

  // False when nobody of this role is limited there: then there is nothing to ask.
  [[nodiscard]] virtual bool concerns(target to, role as) const noexcept = 0;

  // Counts it. `paid`: what the same request has cost before; one that costs more in all than may
  // be spent at once is refused for good. Never throws for a backend's sake.
  virtual awaitable<passage> pass(target to, caller who, std::int64_t cost,
                                  std::int64_t paid = 0) = 0;

  // The same for somebody anonymous when no other server need be asked. False: ask pass().
  virtual bool passes_at_once(target to, std::string_view address) = 0;
};

}  // namespace skirmish::http
