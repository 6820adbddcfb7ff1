// What a signature ends in: the results that are those of the whole, and what is to happen with
// them.
#pragma once

#include "core/error.hpp"
#include "skirmish/tasks/types.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skirmish::tasks {

// A hostile message must not make us recurse without end.
inline constexpr int depth_limit = 64;

const json_object* object_at(const json_object& in, std::string_view name);
std::string_view kind_of(const json_object& sig);  // "", "chain", "group", "chord", …
// Takes the tags off the options of a signature, of those in a list, and of all that are nested in
// them, so that a datetime or a UUID reads as its text does. Arguments stay as they are.
void plain_options(json& signatures, int depth = 0);
// The list in kwargs, wherever Celery puts it: `tasks` of chains and groups, `header` of chords (a
// list or a group).
json_array list_in(const json_object& sig, std::string_view name);
// The id among its options, which is made when there is none.
std::string ensure_id(json_object& sig);
// The signature whose end is the end of `sig`: the last step of a chain, the body of a chord. Null
// when there is none.
json_object* last_of(json_object& sig, int depth = 0);
// Groups inside groups become their members.
result<void> members_of(const json_array& from, json_array& into, int depth);

// What `sig` ends in, with its ids (made where there are none), as Celery writes results: [[id,
// null], null], or for a group [[id, null], [what each member ends in]]. A group gets `group_id`,
// when one is given.
result<json> name_ends(json_object& sig, const std::string& group_id, int depth);
// The ids in what name_ends() returned, groups opened; nothing when it is not a group.
void add_ends(const json& end, std::vector<std::string>& to);
std::optional<std::vector<std::string>> members_in(const json& end);

// A step that will not run: whom that concerns.
struct abandoned {
  std::vector<std::string> ids;   // of the results that somebody may wait for
  std::vector<std::string> ends;  // of them, those that its chord waits for
  json chord;                     // the body of that chord, if any
  std::string group_id;
  std::optional<std::int64_t> group_index;
};
abandoned abandon(json step);

// The results of a chord in the order and nesting of its saved group; nothing when that is another
// group's.
std::optional<json_array> nest_results(const json& saved,
                                       const std::map<std::string, json, std::less<>>& result_of);

}  // namespace skirmish::tasks
