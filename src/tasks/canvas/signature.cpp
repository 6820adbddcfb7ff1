// Signatures as programs build them.
#include "skirmish/tasks/signature.hpp"

#include "tasks/canvas/canvas.hpp"

namespace skirmish::tasks {

json_object& own_object_at(json_object& in, std::string_view name) {
  auto& v = in[name];
  if (!v.is_object()) v = json_object();
  return v.get_object();
}

json_object make_signature(std::string_view type, json_object kwargs) {
  return {{"task", std::string("celery.") + std::string(type)},
          {"args", json_array()},
          {"kwargs", std::move(kwargs)},
          {"options", json_object()},
          {"subtask_type", type},
          {"immutable", false}};
}

json chord_of(json_array header, json body) {
  return make_signature("chord", {{"header", std::move(header)}, {"body", std::move(body)}});
}

void append_option(json_object& sig, std::string_view name, const json& value) {
  auto& list = own_object_at(sig, "options")[name];
  if (list.is_object()) list = json_array{json(list)};
  if (!list.is_array()) list = json_array();
  if (value.is_array())
    list.get_array().insert(list.get_array().end(), value.get_array().begin(),
                            value.get_array().end());
  else if (value.is_object())
    list.get_array().push_back(value);
}

signature::signature(std::string_view task, json_array args, json_object kwargs)
    : document_{{"task", task},
                {"args", std::move(args)},
                {"kwargs", std::move(kwargs)},
                {"options", json_object()},
                {"subtask_type", nullptr},
                {"immutable", false}} {}

signature signature::from_json(json_object document) {
  signature made;
  made.document_ = std::move(document);
  return made;
}

signature& signature::immutable(bool value) {
  document_["immutable"] = value;
  return *this;
}

signature& signature::option(std::string_view name, json value) {
  own_object_at(document_, "options")[name] = std::move(value);
  return *this;
}

signature& signature::link(const signature& callback) {
  append_option(document_, "link", callback.document());
  return *this;
}

signature& signature::link_error(const signature& errback) {
  append_option(document_, "link_error", errback.document());
  return *this;
}

namespace {

json_array documents(const std::vector<signature>& all) {
  json_array out;
  for (const auto& one : all) out.push_back(one.document());
  return out;
}

}  // namespace

signature chain(const std::vector<signature>& steps) {
  return signature::from_json(make_signature("chain", {{"tasks", documents(steps)}}));
}

signature group(const std::vector<signature>& members) {
  return signature::from_json(make_signature("group", {{"tasks", documents(members)}}));
}

signature chord(const std::vector<signature>& members, const signature& body) {
  return signature::from_json(chord_of(documents(members), body.document()).get_object());
}

}  // namespace skirmish::tasks
