// Asks a game server whether it is there and who plays.
#pragma once

#include "core/asio.hpp"
#include "status/observation.hpp"
#include "status/probe_url.hpp"

#include <chrono>

namespace skirmish::status {

// Ends within `timeout` (name resolution included) and does not throw for what the server or the
// network does: a failed probe is an observation that is not online and says why. Cancellation
// throws.
awaitable<observation> probe(probe_target target, std::chrono::milliseconds timeout,
                             const clock& time);

}  // namespace skirmish::status
