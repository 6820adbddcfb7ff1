// A task as it was sent, so that it can be sent again.
#pragma once

#include "tasks/admin/operator.hpp"

#include <string>
#include <vector>

namespace skirmish::tasks {

// A new message with the whole arguments of an earlier task: its options and what follows it (the
// rest of its chain, its callbacks) too, but no group or chord, which have ended without it. In
// order, the first that is known:
//   the message that a C++ worker kept when the task failed or was revoked
//   a dead letter
//   the arguments in the stored result (Celery's result_extended)
//   the arguments in the events, when they can be read back without loss
// not_found when nothing is known of the task; conflict when its whole arguments or its name are
// not known. `queue` replaces the queue unless it is empty; the queue is empty when it is not
// known.
awaitable<result<outgoing>> original_of(broker_view at, std::string id, std::string queue);

}  // namespace skirmish::tasks
