// The Redis keys of bans.
#pragma once

#include "redis/key_space.hpp"

#include <string>

namespace skirmish::bans {

// bans, a hash: `<kind>@<value>` → as JSON. At most bans_max fields; those that have ended go when
// another is added.
inline std::string bans_key(const redis::key_space& keys) { return keys.key("bans"); }

// bans@until, a sorted set: the same names by the end of the ban (ms since 1970).
inline std::string until_key(const redis::key_space& keys) { return keys.key("bans@until"); }

// bans@version, a string: another word after each change. Every server looks at it four times per
// second.
inline std::string version_key(const redis::key_space& keys) { return keys.key("bans@version"); }

}  // namespace skirmish::bans
