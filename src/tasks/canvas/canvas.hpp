// From a signature (Celery's JSON for work not yet sent) to the messages that start it. Pure:
// nothing is sent here.
#pragma once

#include "core/error.hpp"
#include "skirmish/tasks/types.hpp"
#include "tasks/protocol/envelope.hpp"
#include "tasks/protocol/wall_time.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skirmish::tasks {

// The queue of a task whose call names none.
using route_function = std::function<std::string(std::string_view task)>;

struct sending {
  route_function route;
  wall_time now{};
  std::string parent_id;  // empty: none
  std::string root_id;    // empty: each message is its own root
  std::string reply_to;
};

// A chord that begins. It is stored before anything is sent.
struct new_chord {
  std::string group_id;
  std::size_t size = 0;
  // The group as Celery saves it, which nests the results of members that end in a group. Empty
  // when there is no such member.
  std::string nesting;
};

struct plan {
  std::vector<new_chord> chords;
  std::vector<outgoing> messages;
  std::string last_id;  // id of the whole's result
  // When the whole ends in a group: the ids of its members' results, in order, nested groups
  // flattened.
  std::optional<std::vector<std::string>> member_ids;
  json result_tuple;  // of what starts now, for the `children` of a result
};

// Adds to `to` what starts `signature`. `fed` is put in front of its arguments unless it is
// immutable.
result<void> expand(const json& signature, const json_array& fed, const sending& how, plan& to);

// The next step of a chain as workers pass it on: the LAST element of `rest`.
result<void> expand_chain_step(json_array rest, const json_array& fed, const sending& how,
                               plan& to);

// Several callbacks: one is sent by itself, more as a group.
result<void> expand_callbacks(const json_array& callbacks, const json_array& fed,
                              const sending& how, plan& to);

// Parts of a signature's JSON: a member that is an object (created if necessary), a canvas of the
// given type, a chord, and a callback (or several) added to a list in the options.
json_object& own_object_at(json_object& in, std::string_view name);
json_object make_signature(std::string_view type, json_object kwargs);
json chord_of(json_array header, json body);
void append_option(json_object& signature, std::string_view name, const json& value);

}  // namespace skirmish::tasks
