// Shell patterns (`*`, `?`, `[ab]`), as Celery's routes, destinations and matchers use them.
#pragma once

#include <fnmatch.h>

#include <string>
#include <string_view>

namespace skirmish::tasks {

inline bool glob_match(std::string_view pattern, std::string_view text) {
  return ::fnmatch(std::string(pattern).c_str(), std::string(text).c_str(), 0) == 0;
}

}  // namespace skirmish::tasks
