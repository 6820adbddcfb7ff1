// What a task led to: the steps of its chain, the tasks it sent, the members of its groups and
// chords.
#pragma once

#include "tasks/admin/operator.hpp"

#include <string>

namespace skirmish::tasks {

inline constexpr std::size_t tree_level_limit = 50;  // nodes shown on a level
inline constexpr std::size_t tree_depth_limit = 20;

// {"kind": "task", "id", "name", "state", "parent_id", "root_id", "children"}, and of groups
// {"kind": "group", "id", "size", "ended", "failed", "children"}. What is beyond the limits is
// counted in "more". From the history and from stored results; not_found when neither knows the
// task or group.
awaitable<result<json_object>> read_tree(broker_view at, std::string id);

}  // namespace skirmish::tasks
