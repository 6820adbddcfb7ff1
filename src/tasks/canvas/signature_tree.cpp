#include "tasks/canvas/signature_tree.hpp"

#include "core/ids.hpp"
#include "tasks/canvas/canvas.hpp"
#include "tasks/protocol/json_text.hpp"

#include <algorithm>

namespace skirmish::tasks {
namespace {

error bad(std::string what) { return {errc::invalid_argument, std::move(what)}; }

}  // namespace

json_array list_in(const json_object& sig, std::string_view name) {
  const auto* kwargs = object_at(sig, "kwargs");
  const auto* v = kwargs ? kwargs->if_contains(name) : nullptr;
  if (v == nullptr) return {};
  if (v->is_array()) return v->get_array();
  if (v->is_object()) return list_in(v->get_object(), "tasks");
  return {};
}

std::string ensure_id(json_object& sig) {
  auto& options = own_object_at(sig, "options");
  if (const auto id = text_at(options, "task_id"); !id.empty()) return std::string(id);
  auto id = random_uuid();
  options["task_id"] = id;
  return id;
}

json_object* last_of(json_object& sig, int depth) {
  if (depth > depth_limit) return nullptr;
  const auto kind = kind_of(sig);
  auto* kwargs = sig.contains("kwargs") ? sig["kwargs"].if_object() : nullptr;
  if (kind == "chain" && kwargs) {
    auto* tasks = kwargs->if_contains("tasks");
    if (!tasks || !tasks->is_array() || tasks->get_array().empty()) return nullptr;
    auto* last = tasks->get_array().back().if_object();
    return last ? last_of(*last, depth + 1) : nullptr;
  }
  if (kind == "chord" && kwargs) {
    auto* body = kwargs->if_contains("body");
    return body && body->is_object() ? last_of(body->get_object(), depth + 1) : nullptr;
  }
  return &sig;
}

result<void> members_of(const json_array& from, json_array& into, int depth) {
  if (depth > depth_limit) return bad("the group is nested too deeply");
  for (const auto& member : from) {
    if (!member.is_object()) return bad("a member of a group is not a signature");
    if (kind_of(member.get_object()) == "group") {
      if (auto ok = members_of(list_in(member.get_object(), "tasks"), into, depth + 1); !ok)
        return ok;
    } else {
      into.push_back(member);
    }
  }
  return {};
}

result<json> name_ends(json_object& sig, const std::string& group_id, int depth) {
  if (depth > depth_limit) return bad("the signature is nested too deeply");
  auto* last = last_of(sig);
  if (last == nullptr) return bad("a chain whose last step is empty");
  const bool is_group = kind_of(*last) == "group";
  if (is_group && !group_id.empty()) own_object_at(*last, "options")["task_id"] = group_id;
  json_array out{json_array{ensure_id(*last), nullptr}, nullptr};
  if (!is_group) return json(std::move(out));
  json_array members, ends;
  if (auto ok = members_of(list_in(*last, "tasks"), members, depth); !ok) return ok.error();
  for (auto& member : members) {
    auto end = name_ends(member.get_object(), group_id, depth + 1);
    if (!end) return end.error();
    ends.push_back(std::move(*end));
  }
  own_object_at(*last, "kwargs")["tasks"] = std::move(members);
  out[1] = std::move(ends);
  return json(std::move(out));
}

void add_ends(const json& end, std::vector<std::string>& to) {
  const auto& parts = end.get_array();
  if (parts[1].is_null())
    to.emplace_back(parts[0].get_array()[0].get_string());
  else
    for (const auto& member : parts[1].get_array()) add_ends(member, to);
}

std::optional<std::vector<std::string>> members_in(const json& end) {
  if (end.get_array()[1].is_null()) return std::nullopt;
  std::vector<std::string> out;
  add_ends(end, out);
  return out;
}

abandoned abandon(json step) {
  abandoned out;
  auto* sig = step.if_object();
  auto* last = sig ? last_of(*sig) : nullptr;
  const auto* options = last ? object_at(*last, "options") : nullptr;
  if (options == nullptr) return out;
  if (const auto* chord = options->if_contains("chord"); chord && chord->is_object())
    out.chord = *chord;
  out.group_id = text_at(*options, "group_id");
  if (const auto* n = options->if_contains("group_index"); n && n->is_int64())
    out.group_index = n->get_int64();
  if (const auto end = name_ends(*sig, {}, 0)) add_ends(*end, out.ends);
  out.ids = out.ends;
  for (const auto* one : {sig, last})
    if (const auto* own = object_at(*one, "options"))
      if (const auto id = text_at(*own, "task_id"); !id.empty() && !std::ranges::count(out.ids, id))
        out.ids.emplace_back(id);
  return out;
}

namespace {

// False when the result of something in it is missing.
bool nest(const json& end, const std::map<std::string, json, std::less<>>& result_of, json& to,
          int depth) {
  const auto* parts = end.if_array();
  if (parts == nullptr || parts->size() != 2 || depth > depth_limit) return false;
  if (const auto* members = (*parts)[1].if_array()) {
    json_array all;
    for (const auto& member : *members)
      if (!nest(member, result_of, all.emplace_back(nullptr), depth + 1)) return false;
    to = std::move(all);
    return true;
  }
  const auto* about = (*parts)[0].if_array();
  if (about == nullptr || about->empty() || !(*about)[0].is_string()) return false;
  const auto found = result_of.find(std::string_view((*about)[0].get_string()));
  if (found == result_of.end()) return false;
  to = found->second;
  return true;
}

}  // namespace

std::optional<json_array> nest_results(const json& saved,
                                       const std::map<std::string, json, std::less<>>& result_of) {
  const auto* document = saved.if_object();
  const auto* tree = document ? document->if_contains("result") : nullptr;
  json out;
  if (tree == nullptr || !nest(*tree, result_of, out, 0) || !out.is_array()) return std::nullopt;
  return std::move(out.get_array());
}

}  // namespace skirmish::tasks
