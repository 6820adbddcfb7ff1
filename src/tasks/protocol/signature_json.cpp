#include "tasks/protocol/signature_json.hpp"

#include "skirmish/tasks/values.hpp"
#include "tasks/protocol/json_text.hpp"

namespace skirmish::tasks {

const json_object* object_at(const json_object& in, std::string_view name) {
  const auto* v = in.if_contains(name);
  return v ? v->if_object() : nullptr;
}

std::string_view kind_of(const json_object& sig) { return text_at(sig, "subtask_type"); }

void plain_options(json& signatures, int depth) {
  if (depth > 2 * depth_limit) return;  // expanding it fails
  if (auto* list = signatures.if_array()) {
    for (auto& one : *list) plain_options(one, depth + 1);
    return;
  }
  auto* sig = signatures.if_object();
  if (sig == nullptr) return;
  auto* const options = sig->if_contains("options");
  if (options != nullptr && options->is_object()) {
    for (auto& [name, value] : options->get_object()) {
      const std::string_view key = name;
      if (key == "link" || key == "link_error" || key == "chain" || key == "chord")
        plain_options(value, depth + 1);
      else if (const auto number = as_number(value); number && value.is_object())
        value = *number;  // a Decimal
      else if (key != "headers")
        value = plain_value(value);
    }
  }
  auto* const kwargs = sig->if_contains("kwargs");
  if (kwargs == nullptr || !kwargs->is_object() || kind_of(*sig).empty()) return;
  for (const auto* part : {"tasks", "header", "body"})
    if (auto* nested = kwargs->get_object().if_contains(part)) plain_options(*nested, depth + 1);
}

}  // namespace skirmish::tasks
