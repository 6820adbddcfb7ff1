// The routes of jobs. Assigning one sends the task `process_assignment`.
#pragma once

#include "http/router.hpp"
#include "jobs/jobs.hpp"
#include "tasks/tasks.hpp"

namespace skirmish::jobs {

// `broker` is where the task goes; its references must outlive the routes.
void add_routes(http::router& routes, service& jobs, tasks::broker_view broker);

}  // namespace skirmish::jobs
