// The JSON of signatures inside messages: members that both the protocol and the canvas read.
#pragma once

#include "skirmish/tasks/types.hpp"

#include <string_view>

namespace skirmish::tasks {

// Bounds the recursion that a hostile message can cause.
inline constexpr int depth_limit = 64;

const json_object* object_at(const json_object& in, std::string_view name);
std::string_view kind_of(const json_object& sig);  // "", "chain", "group", "chord", …
// Removes the tags of values in the options of signatures and of all that are nested in them, so
// that a datetime or a UUID is read like its text. Arguments stay unchanged.
void plain_options(json& signatures, int depth = 0);

}  // namespace skirmish::tasks
