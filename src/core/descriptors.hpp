// How many files and sockets this process may have open.
#pragma once

#include <cstdint>

namespace skirmish {

// Raises the limit as far as the system allows (RLIMIT_NOFILE's soft limit to its hard one), and
// returns it.
std::int64_t raise_descriptor_limit();

}  // namespace skirmish
