// The Redis keys of temporary state and of recovery data.
#pragma once

#include "redis/key_space.hpp"

#include <string>

namespace skirmish::state {

// state:<namespace>@<key>, a hash: body, type (`json` or `bytes`), version, ends_at (ms since
// 1970). Lives as long as its writer said.
inline std::string entry_key(const redis::key_space& keys, std::string_view name_space,
                             std::string_view key) {
  return keys.key("state", name_space, key);
}

// state_entries:<namespace>, a hash: key → `<bytes> <version> <ends_at>`, and `@bytes`, their sum;
// state_names:<namespace>, a sorted set of the keys in the order of their bytes (all scores 0);
// state_ends:<namespace>, a sorted set: key → when it ends (ms since 1970). All three live as long
// as the entry that ends last. Entries that have ended leave them when the namespace is written to.
inline std::string entries_key(const redis::key_space& keys, std::string_view name_space) {
  return keys.key("state_entries", name_space);
}
inline std::string names_key(const redis::key_space& keys, std::string_view name_space) {
  return keys.key("state_names", name_space);
}
inline std::string ends_key(const redis::key_space& keys, std::string_view name_space) {
  return keys.key("state_ends", name_space);
}

// recovery:<server>@<key>, a hash: `index`, a line for each snapshot, the newest first
// (recovery_put.lua), and `body:<id>` of each. Lives state.recovery_ttl after the last snapshot.
inline std::string recovery_key(const redis::key_space& keys, std::string_view server,
                                std::string_view key) {
  return keys.key("recovery", server, key);
}

// recovery_keys:<server>, a sorted set: key → when its snapshots end (ms since 1970).
inline std::string recovery_keys_key(const redis::key_space& keys, std::string_view server) {
  return keys.key("recovery_keys", server);
}

}  // namespace skirmish::state
