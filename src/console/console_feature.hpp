// The console as one feature of a server thread: its pages, and browser sessions of API keys.
#pragma once

#include "console/console_routes.hpp"
#include "console/console_sessions.hpp"
#include "console/pages.hpp"
#include "console/site.hpp"

#include <optional>

namespace skirmish::console {

class feature {
 public:
  feature(redis::client& redis, db::database& db, const redis::key_space& keys, const clock& time,
          apikeys::verifier& verifier, site_settings site)
      : store_(db, time), sessions_(redis, keys, time, verifier, store_), site_(std::move(site)) {}

  void add_to(http::router& routes) {
    add_pages(routes);
    add_site(routes, site_);
    add_routes(routes, sessions_);
  }

  // The principal of the console's cookie; nullopt when the request has none.
  awaitable<std::optional<result<http::principal>>> authenticate(const http::request& r);

  [[nodiscard]] session_store& sessions() noexcept { return sessions_; }

 private:
  apikeys::store store_;
  session_store sessions_;
  site_settings site_;
};

}  // namespace skirmish::console
