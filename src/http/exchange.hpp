// One request being answered: what the route table has already checked, and shorthand for handlers.
#pragma once

#include "core/clock.hpp"
#include "http/message.hpp"
#include "http/scope.hpp"

#include <boost/json/object.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace skirmish::http {

// Who asks. `id` is the API key's id, or the player's id for role player.
enum class role { anonymous, player, server, admin };
struct principal {
  role as = role::anonymous;
  std::string id;
  std::string session = {};                 // of a player: the digest of its token
  scopes allowed = {};                      // of a key
  timestamp expires_at = timestamp::max();  // of a key or session: refused from then on

  // True when this principal may act for `player_id`: a server, an operator, or the player itself.
  [[nodiscard]] bool may_act_as(std::string_view player_id) const noexcept {
    return as == role::server || as == role::admin || (as == role::player && id == player_id);
  }
};

struct exchange {
  request req;
  std::string request_id;
  // Sent by a page of another site (by its Origin), which may not use a key that a browser holds.
  bool is_cross_site = false;
  std::chrono::steady_clock::duration spent{};  // on it by the server, without waiting for its body
  principal who;
  bool waited_for_body = false;  // after `who` had been decided
  fields answer_fields;          // header fields of the answer, whatever it is
  fields path_parameters;
  fields query_parameters;  // decoded
  json::value body;         // checked against the route's shape; null when the route takes none

  // A `{name}` of the route's pattern: always a valid id.
  [[nodiscard]] const std::string& path(std::string_view name) const;
  // A query parameter that the route declares; its default when absent, empty when it has none.
  [[nodiscard]] std::string_view query(std::string_view name) const;
  [[nodiscard]] std::int64_t query_integer(std::string_view name) const;
  [[nodiscard]] bool has_query(std::string_view name) const;

  // Members of a checked object body.
  [[nodiscard]] std::optional<std::string> text(std::string_view name) const;
  [[nodiscard]] std::optional<std::int64_t> integer(std::string_view name) const;
};

}  // namespace skirmish::http
