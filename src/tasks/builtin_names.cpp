#include "tasks/builtin_names.hpp"

#include "skirmish/tasks.hpp"

#include <algorithm>

namespace skirmish::tasks {

std::string builtin::queue_of(std::string_view task) {
  const bool ours = std::find(names.begin(), names.end(), task) != names.end();
  return ours ? queue : app_options().default_queue;
}

std::vector<std::pair<std::string, std::string>> builtin::routes() {
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto* name : names) out.emplace_back(name, queue);
  return out;
}

}  // namespace skirmish::tasks
