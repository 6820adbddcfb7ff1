// Moves what a version before names of keys were unambiguous has left: last actions were under
// player:<player_id>:actions, which is also the state of a player called `<player_id>:actions`. A
// list there can only be the former.
#pragma once

#include "core/asio.hpp"
#include "redis/client.hpp"
#include "redis/key_space.hpp"

#include <boost/asio/io_context.hpp>

namespace skirmish::players {

// Looks through all keys, a thousand at a time, once in the life of a world: keys:version says that
// it was done. May run on several servers, and again. Tries until it has succeeded; give it to a
// task_group.
awaitable<void> move_old_keys(asio::io_context& io, redis::client& redis,
                              const redis::key_space& keys);

}  // namespace skirmish::players
