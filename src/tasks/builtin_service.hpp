// The tasks that Skirmish itself brings.
#pragma once

#include "skirmish/tasks.hpp"

namespace skirmish::tasks {

// echo(value), sleep(seconds): for diagnosis. `echo` returns its argument.
void add_diagnostic_tasks(app& to);

}  // namespace skirmish::tasks
