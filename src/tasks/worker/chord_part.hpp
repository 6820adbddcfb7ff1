// What a chord is told about one member that has ended.
#pragma once

#include "redis/script.hpp"
#include "skirmish/tasks/types.hpp"
#include "tasks/tasks_keys.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skirmish::tasks {

struct chord_part {
  std::string group_id;
  std::string score;   // the member's index, or +inf
  std::string member;  // its id
  std::string part;    // JSON, as Celery writes it
  std::string how;     // JSON: how to send the chord's body when this is the last part
};

// The task whose end this is, or that of an earlier step on which the member depends.
struct chord_part_origin {
  std::string_view id, root_id;
};
chord_part part_of(const chord_part_origin& from, std::string_view group_id,
                   const std::optional<std::int64_t>& index, std::string_view member,
                   const json& chord, std::string_view state, std::string_view result_json);

// Adds one chord_part.lua call per part, in order. `ttl_s` is the lifetime of results.
void push_chord_parts(redis::request& to, const key_names& keys, std::int64_t ttl_s,
                      const std::vector<chord_part>& parts);

}  // namespace skirmish::tasks
