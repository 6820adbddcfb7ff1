// What operators do with a task system: queues, workers, doctor. Used by the command
// line and the routes.
//
// Each function needs a connected client of the broker. Infrastructure failures throw; outcomes
// that depend on input are a result.
#pragma once

#include "core/asio.hpp"
#include "core/error.hpp"
#include "redis/client.hpp"
#include "skirmish/tasks/types.hpp"
#include "tasks/protocol/control_message.hpp"
#include "tasks/protocol/envelope.hpp"
#include "tasks/tasks_keys.hpp"

#include <string>
#include <vector>

namespace skirmish::tasks {

struct broker_view {
  asio::io_context& io;
  redis::client& redis;
  const key_names& keys;
};

// Sends a task. When the reply was lost it throws, although the task may have been sent.
awaitable<void> publish(broker_view at, outgoing m);
// Sends a task unless one was sent under this key within `remember`. Returns the id of the one that
// was sent, or conflict when that one had another digest. It may be called again after a failure
// without sending twice.
awaitable<result<std::string>> publish_once(broker_view at, outgoing m, std::string key,
                                            std::string digest, milliseconds remember);

// Broadcasts a control command and collects the answers by node, until `timeout` or until all given
// destinations have answered.
awaitable<json_object> broadcast(broker_view at, std::string method, json_object arguments,
                                 std::vector<std::string> destinations, milliseconds timeout);
// The same, with both answers of two workers that share a name.
awaitable<std::vector<std::pair<std::string, json>>> gather(broker_view at, std::string method,
                                                            json_object arguments,
                                                            std::vector<std::string> destinations,
                                                            milliseconds timeout);

// Every queue that is bound or served: {"name", "depth", "by_priority", "paused", "consumers"}.
awaitable<json_array> queues(broker_view at);
// Every C++ worker that is alive: {"node", "instance", "pid", "host", "queues", "started",
// "last_heartbeat"}, and "returned" when it put back messages of tasks that only others know.
awaitable<json_array> workers(broker_view at);

// Removes all waiting messages and returns how many they were; conflict when the name is that of
// another key.
awaitable<result<std::int64_t>> purge(broker_view at, std::string queue);
// conflict when too many are paused.
awaitable<result<void>> set_paused(broker_view at, std::string queue, bool paused);
// Revokes a task: stored for C++ workers that start later, and broadcast to those that run.
awaitable<void> revoke(broker_view at, std::string id, bool terminate);
awaitable<void> revoke_all(broker_view at, std::vector<std::string> ids, bool terminate);

// Puts all tasks with a far eta back on their queues, for Python workers, when no C++ worker is
// left.
awaitable<std::int64_t> release_scheduled(broker_view at);

// Every queue that is bound, or served by a C++ worker.
awaitable<std::vector<std::string>> queue_names(broker_view at);
// All keys that match a pattern (SCAN).
awaitable<std::vector<std::string>> keys_like(broker_view at, std::string pattern);

// The problems found: {"problem", "subject", "detail", "cure"}.
awaitable<json_array> diagnose(broker_view at);

}  // namespace skirmish::tasks
