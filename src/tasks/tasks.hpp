// What other features use of the task system: its keys, sending a task, and the tasks that Skirmish
// itself brings. Programs of our users include skirmish/tasks.hpp instead.
#pragma once

#include "tasks/admin/operator.hpp"
#include "tasks/builtin_names.hpp"
#include "tasks/queue_list.hpp"
#include "tasks/tasks_keys.hpp"
