// The periodic tasks of beat, as operators list and change them. Those of a beat's configuration
// can be seen and run, but not changed.
#pragma once

#include "tasks/admin/operator.hpp"

#include <string>
#include <string_view>

namespace skirmish::tasks {

inline constexpr std::int64_t schedules_limit = 1'000;  // that can be added

// {"items", "is_running"}; an item is the definition (see beat.hpp), "name", "source" ("file" or
// "redis"), "last_run_at", "next_run_at" (null when not known), and "error" when beat refuses it.
awaitable<json_object> read_schedules(broker_view at);

// Adds or replaces one and returns it as it is listed. invalid_argument says what is wrong with the
// definition; conflict when the name is one of a configuration, or there are too many.
awaitable<result<json_object>> put_schedule(broker_view at, std::string name,
                                            json_object definition);
// not_found or, for one of a configuration, conflict.
awaitable<result<void>> remove_schedule(broker_view at, std::string name);
// Its message, to be sent now; the queue is empty when the entry names none. not_found, or
// invalid_argument when beat refuses it.
awaitable<result<outgoing>> message_of_schedule(broker_view at, std::string name);

}  // namespace skirmish::tasks
