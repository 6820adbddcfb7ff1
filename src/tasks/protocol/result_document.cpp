#include "tasks/protocol/result_document.hpp"

#include "core/asio.hpp"
#include "core/error.hpp"
#include "tasks/protocol/json_scan.hpp"
#include "tasks/protocol/json_text.hpp"
#include "tasks/protocol/python_repr.hpp"
#include "tasks/protocol/wall_time.hpp"

#include <boost/system/system_error.hpp>
#include <fmt/format.h>

#include <new>

namespace skirmish::tasks {

json failure_info::to_json() const {
  return json_object{{"exc_type", type}, {"exc_message", arguments}, {"exc_module", module}};
}

std::string failure_info::repr() const {
  auto inner = python_repr_tuple(arguments);
  if (arguments.size() == 1 && inner.ends_with(",)")) inner.replace(inner.size() - 2, 2, ")");
  return type + inner;
}

failure_info make_failure(std::string type, const std::string& message, std::string module) {
  return {std::move(type), json_array{json(message)}, std::move(module), {}};
}

failure_info revoked_failure(const char* why) {
  return make_failure("TaskRevokedError", why, std::string(exceptions_module));
}

failure_info describe_exception(const std::exception_ptr& thrown, std::string_view task_name) {
  failure_info out;
  const auto builtin = [](const char* type, const std::exception& e) {
    return make_failure(type, e.what());
  };
  try {
    std::rethrow_exception(thrown);
  } catch (const task_error& e) {
    out = {e.type(), e.arguments(), e.module(), {}};
  } catch (const reject& e) {
    out = make_failure("Reject", e.what(), std::string(exceptions_module));
  } catch (const failure& e) {
    out = builtin(e.code() == errc::deadline_exceeded ? "TimeoutError"
                  : e.code() == errc::unavailable     ? "ConnectionError"
                                                      : "RuntimeError",
                  e);
  } catch (const broker_unavailable& e) {
    out = builtin("ConnectionError", e);
  } catch (const timed_out& e) {
    out = builtin("TimeoutError", e);
  } catch (const std::out_of_range& e) {
    out = builtin("IndexError", e);
  } catch (const std::overflow_error& e) {
    out = builtin("OverflowError", e);
  } catch (const std::invalid_argument& e) {
    out = builtin("ValueError", e);
  } catch (const std::domain_error& e) {
    out = builtin("ValueError", e);
  } catch (const std::length_error& e) {
    out = builtin("ValueError", e);
  } catch (const std::bad_alloc& e) {
    out = builtin("MemoryError", e);
  } catch (const std::bad_cast& e) {
    out = builtin("TypeError", e);
  } catch (const std::system_error& e) {
    out = builtin("OSError", e);
  } catch (const std::exception& e) {
    out = builtin("RuntimeError", e);
  } catch (...) {
    out = make_failure("RuntimeError", "an exception of unknown type");
  }
  // C++ has no portable stack trace of an exception, so this only has the form of a Python
  // traceback.
  out.traceback = fmt::format(
      "Traceback (most recent call last):\n  C++ task {}\n{}: {}\n", task_name, out.type,
      out.arguments.empty()          ? std::string()
      : out.arguments[0].is_string() ? std::string(out.arguments[0].get_string())
                                     : python_repr(out.arguments[0]));
  return out;
}

task_error::task_error(std::string type, json_array arguments, std::string module)
    : std::runtime_error(type + python_repr_tuple(arguments)),
      type_(std::move(type)),
      module_(std::move(module)),
      arguments_(std::move(arguments)) {}

void append_result_document(std::string& out, const result_fields& r) {
  out += R"({"status": ")";
  out += r.status;
  out += R"(", "result": )";
  out += r.result_json;
  out += R"(, "traceback": )";
  if (r.traceback.empty())
    out += "null";
  else
    append_json_string(out, r.traceback);
  out += R"(, "children": )";
  out += r.children_json;
  out += R"(, "date_done": )";
  if (r.done) {
    out += '"';
    append_iso(out, wall_now());
    out += '"';
  } else {
    out += "null";
  }
  if (!r.group.empty()) {
    out += R"(, "group_id": )";
    append_json_string(out, r.group);
  }
  if (!r.parent_id.empty()) {
    out += R"(, "parent_id": )";
    append_json_string(out, r.parent_id);
  }
  out += r.extended;
  out += R"(, "task_id": )";
  append_json_string(out, r.id);
  out += '}';
}

bool is_final_document(std::string_view text) {
  std::string_view status;
  const bool whole = json_scanner(text).object([&](std::string_view key, std::string_view token) {
    if (key == "status") status = token;
  });
  return whole &&
         (status == R"("SUCCESS")" || status == R"("FAILURE")" || status == R"("REVOKED")");
}

}  // namespace skirmish::tasks
