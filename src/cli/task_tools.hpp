// `skirmish worker`, `beat`, `task …` and `bench tasks`.
#pragma once

namespace CLI {
class App;
}

namespace skirmish::cli {

void add_task_tools(CLI::App& app, int& code);

// In task_worker.cpp.
void add_task_worker(CLI::App& app, int& code);

// In bench_tasks.cpp; under the subcommand `bench`.
void add_bench_tasks(CLI::App& to, int& code);

}  // namespace skirmish::cli
