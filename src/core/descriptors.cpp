#include "core/descriptors.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <limits>

namespace skirmish {

std::int64_t raise_descriptor_limit() {
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return most;
  auto raised = limit;
  raised.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &raised) != 0) raised = limit;
  return static_cast<std::int64_t>(std::min<rlim_t>(raised.rlim_cur, most));
}

}  // namespace skirmish
