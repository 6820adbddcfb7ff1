// The webhook that hears of game servers going down and coming back: what is sent, how it is
// signed, and sending it.
//
//   POST <status.webhook_url>
//   Content-Type: application/json
//   Skirmish-Delivery: <task id>     the same for every attempt
//   Skirmish-Signature: t=<Unix seconds>,v1=<hex HMAC-SHA256 of "<t>.<body>" under the secret>
//
//   {"event":"server_down","server":"arena","changed_at":"…","online":false,"players":12,…}
#pragma once

#include "core/asio.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "status/observation.hpp"
#include "status/probe_url.hpp"

#include <boost/json/value.hpp>

#include <string>
#include <string_view>

namespace skirmish::status {

struct webhook_settings {
  std::string url;     // empty: there is none
  std::string secret;  // empty: what is sent bears no signature
};

// http and https only. The error does not quote the URL, which may hold a token.
result<probe_target> parse_webhook_url(std::string_view url);

// The body for the change that `game` shows. `name` is empty for the server of status.probe.
boost::json::object webhook_event(std::string_view name, const observation& game);

// The value of Skirmish-Signature.
std::string webhook_signature(std::string_view secret, timestamp at, std::string_view body);

// One attempt. Throws failure{unavailable} unless the answer's status is 2xx.
awaitable<void> call_webhook(webhook_settings to, std::string delivery, std::string body,
                             timestamp now);

}  // namespace skirmish::status
