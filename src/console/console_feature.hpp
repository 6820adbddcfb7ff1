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
  // `recorder` notes logins.
  feature(redis::client& redis, db::database& db, const redis::key_space& keys, const clock& time,
          metrics::registry& metrics, apikeys::verifier& verifier, http::change_recorder& recorder,
          site_settings site)
      : store_(db, time),
        sessions_(redis, keys, time, verifier, store_),
        logins_(redis, keys, metrics, recorder),
        site_(std::move(site)) {}

  void add_to(http::router& routes) {
    add_pages(routes);
    add_site(routes, site_);
    add_routes(routes, sessions_, logins_);
  }

  // The principal of the console's cookie; nullopt when the request has none.
  awaitable<std::optional<result<http::principal>>> authenticate(const http::request& r);

  [[nodiscard]] session_store& sessions() noexcept { return sessions_; }
  // The side of the squares on the map for visitors; 0: they see none.
  [[nodiscard]] double map_cell_km() const {
    return static_cast<double>(parts_of(site_).map_cell_km);
  }

 private:
  apikeys::store store_;
  session_store sessions_;
  login_guard logins_;
  site_settings site_;
};

}  // namespace skirmish::console
