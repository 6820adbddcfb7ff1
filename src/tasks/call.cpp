#include "skirmish/tasks/call.hpp"

#include <algorithm>

namespace skirmish::tasks {

void task_context::retry(retry_options options) const {
  throw retry_requested{options, std::current_exception()};
}

void task_context::retry(const std::exception_ptr& reason, retry_options options) const {
  throw retry_requested{options, reason};
}

namespace detail {

void throw_type_error(const std::string& message) { throw task_error("TypeError", message); }

json_array bind_arguments(const task_options& options, arguments& given, std::size_t count) {
  if (given.args.size() > count)
    throw_type_error("takes " + std::to_string(count) + " arguments but " +
                     std::to_string(given.args.size()) + " were given");
  const auto positional = given.args.size();
  if (positional == count && given.kwargs.empty()) return std::move(given.args);
  json_array bound = std::move(given.args);
  const auto& names = options.parameters;
  std::size_t used = 0;
  for (std::size_t i = 0; i < std::min(positional, names.size()); ++i)
    if (given.kwargs.contains(names[i].name))
      throw_type_error("got two values for argument '" + names[i].name + "'");
  for (std::size_t i = positional; i < count; ++i) {
    const auto* named = i < names.size() ? given.kwargs.if_contains(names[i].name) : nullptr;
    if (named != nullptr) {
      bound.push_back(*named);
      ++used;
    } else if (i < names.size() && names[i].fallback) {
      bound.push_back(*names[i].fallback);
    } else {
      throw_type_error("missing argument " +
                       (i < names.size() ? "'" + names[i].name + "'" : std::to_string(i + 1)));
    }
  }
  if (used < given.kwargs.size()) {
    for (const auto& [key, value] : given.kwargs) {
      const bool known =
          std::any_of(names.begin(), names.end(), [&](const auto& p) { return p.name == key; });
      if (!known) throw_type_error("got an unexpected keyword argument '" + std::string(key) + "'");
    }
  }
  return bound;
}

}  // namespace detail
}  // namespace skirmish::tasks
