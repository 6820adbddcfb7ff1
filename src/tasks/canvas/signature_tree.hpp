// What a signature ends in: which results are those of the whole, and what follows from them.
#pragma once

#include "core/error.hpp"
#include "skirmish/tasks/types.hpp"
#include "tasks/protocol/signature_json.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skirmish::tasks {

// A list in kwargs: `tasks` of chains and groups, `header` of chords (a list or a group).
json_array list_in(const json_object& sig, std::string_view name);
// The id in its options; created if necessary.
std::string ensure_id(json_object& sig);
// The signature whose end is the end of `sig`: the last step of a chain, the body of a chord. Null
// when there is none.
json_object* last_of(json_object& sig, int depth = 0);
// Flattens groups inside groups into their members.
result<void> members_of(const json_array& from, json_array& into, int depth);

// What `sig` ends in, with ids (created where there are none), as Celery writes results: [[id,
// null], null], or for a group [[id, null], [what each member ends in]]. A group gets `group_id`
// if it is given.
result<json> name_ends(json_object& sig, const std::string& group_id, int depth);
// The ids in what name_ends() returned, groups flattened. members_in() returns nullopt when it is
// not a group.
void add_ends(const json& end, std::vector<std::string>& to);
std::optional<std::vector<std::string>> members_in(const json& end);

// A step that will not run, and what depends on it.
struct abandoned {
  std::vector<std::string> ids;   // of results that somebody may wait for
  std::vector<std::string> ends;  // of them, those that its chord waits for
  json chord;                     // the body of that chord, if any
  std::string group_id;
  std::optional<std::int64_t> group_index;
};
abandoned abandon(json step);

// The results of a chord in the order and nesting of its saved group. Returns nullopt when the
// saved group is another one.
std::optional<json_array> nest_results(const json& saved,
                                       const std::map<std::string, json, std::less<>>& result_of);

}  // namespace skirmish::tasks
