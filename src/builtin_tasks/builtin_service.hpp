// The two tasks for diagnosis. The others work with the game's services: builtin_tasks.hpp. Their
// names and their queue: tasks/builtin_names.hpp.
#pragma once

#include "builtin_tasks/task_share.hpp"
#include "skirmish/tasks.hpp"
#include "tasks/tasks.hpp"

namespace skirmish::tasks {

// echo(value), sleep(seconds): for diagnosis. Both return their argument. One sleeps at most a
// minute, and takes a place of `slow`.
void add_diagnostic_tasks(app& to, builtin_tasks::task_share& slow);

}  // namespace skirmish::tasks
