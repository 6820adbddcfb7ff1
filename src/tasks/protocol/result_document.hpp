// The JSON that is stored under `celery-task-meta-<id>`.
#pragma once

#include "skirmish/tasks/types.hpp"

#include <string>
#include <string_view>

namespace skirmish::tasks {

// How a failed task looks to Python: `{"exc_type", "exc_message": [args…], "exc_module"}`.
struct failure_info {
  std::string type;
  json_array arguments;
  std::string module;
  std::string traceback;  // empty: null

  [[nodiscard]] json to_json() const;
  // "ValueError('x')", for events.
  [[nodiscard]] std::string repr() const;
};

failure_info make_failure(std::string type, const std::string& message,
                          std::string module = "builtins");
// The failure of a revoked task; `why` is "revoked", "expired" or "terminated".
failure_info revoked_failure(const char* why);
// Describes what a task threw. Exceptions of the standard library become their Python counterparts.
failure_info describe_exception(const std::exception_ptr& thrown, std::string_view task_name);

struct result_fields {
  std::string_view id;
  std::string_view status;
  std::string_view result_json = "null";
  std::string_view traceback = {};  // empty: null
  std::string_view children_json = "[]";
  std::string_view group = {};
  std::string_view parent_id = {};
  bool done = true;  // writes date_done
  // More members, each with a comma in front, for result_extended; else empty.
  std::string_view extended = {};
};
void append_result_document(std::string& out, const result_fields& r);
// Whether a stored document says that its task has ended. `text` may be empty: nothing is stored.
bool is_final_document(std::string_view text);

inline constexpr std::string_view exceptions_module = "celery.exceptions";

}  // namespace skirmish::tasks
