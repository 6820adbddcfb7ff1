// The Redis keys of the audit log.
#pragma once

#include "redis/key_space.hpp"

#include <string>

namespace skirmish::audit {

// audit@pending, a stream: changes that are not in SQL yet, and how changes ended (note.lua). Half
// a second's worth while SQL answers; at most 100,000 entries.
inline std::string pending_key(const redis::key_space& keys) { return keys.key("audit@pending"); }

// lease:audit, a string: the server that moves them to SQL. Lives 3 s.
inline std::string lease_key(const redis::key_space& keys) { return keys.key("lease:audit"); }

}  // namespace skirmish::audit
