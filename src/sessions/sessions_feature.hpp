// Sessions as one feature of a server thread: the parts, their routes, and who a request is.
#pragma once

#include "core/task_group.hpp"
#include "http/router.hpp"
#include "sessions/login.hpp"

#include <optional>

namespace skirmish::sessions {

class feature {
 public:
  feature(redis::client& redis, db::database& db, const redis::key_space& keys, const clock& time,
          password_hasher& hasher, settings s, issuers trusted, player_creator create_player);

  void add_to(http::router& routes);
  void start(task_group& group);
  void refuse_banned(const http::ban_list& bans) noexcept { logins_.refuse_banned(bans); }

  // The player of `Authorization: Bearer st_…`, or of `?ticket=` where a WebSocket opens; nullopt
  // when the request has neither.
  awaitable<std::optional<result<http::principal>>> authenticate(const http::request& r);

  [[nodiscard]] service& sessions() noexcept { return sessions_; }
  awaitable<std::string> hash(std::string password) { return hasher_.hash(std::move(password)); }

 private:
  password_hasher& hasher_;
  credentials accounts_;
  service sessions_;
  login logins_;
};

}  // namespace skirmish::sessions
