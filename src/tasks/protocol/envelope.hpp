// Writing messages: task messages of protocol 2, and the plain messages of events and remote
// control.
#pragma once

#include "skirmish/tasks/types.hpp"
#include "tasks/protocol/wall_time.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace skirmish::tasks {

// A message to be sent, with everything decided: queue, ids, times.
struct outgoing {
  std::string task;
  std::string id;
  std::string root_id;    // empty: the id
  std::string parent_id;  // empty: none
  std::string group;      // empty: none
  std::optional<std::int64_t> group_index;
  std::string queue;
  int priority = 0;
  int retries = 0;
  std::optional<wall_time> eta, expires;
  std::optional<double> hard_limit_s, soft_limit_s;
  bool ignore_result = false;
  std::string shadow;
  std::string reply_to;
  std::string dedup_key;
  json_object headers;  // the user's own
  json_array args;
  json_object kwargs;
  json callbacks, errbacks, chain, chord;  // null: none
};

// How this process names itself as a sender: "gen<pid>@<host>".
const std::string& origin();
// This machine's name, as Python's socket.gethostname() returns it.
const std::string& host_name();

// Appends the envelope of a task message: JSON, whose text stays UTF-8.
void append_task_envelope(std::string& out, const outgoing& m);

struct plain_envelope {
  std::string_view headers_json = "{}";
  std::string_view exchange;
  std::string_view routing_key;
  int delivery_mode = 1;
};
// Appends the envelope of an event or a control message, with `body_json` in base64.
void append_plain_envelope(std::string& out, const plain_envelope& about,
                           std::string_view body_json);

}  // namespace skirmish::tasks
