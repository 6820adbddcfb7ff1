#include "tasks/protocol/envelope.hpp"

#include "core/base64.hpp"
#include "core/ids.hpp"
#include "tasks/protocol/json_text.hpp"
#include "tasks/protocol/message.hpp"
#include "tasks/protocol/python_repr.hpp"
#include "tasks/protocol/wall_time.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <array>

namespace skirmish::tasks {
namespace {

void append_string_or_null(std::string& out, std::string_view text) {
  if (text.empty())
    out += "null";
  else
    append_json_string(out, text);
}

void append_time_or_null(std::string& out, const std::optional<wall_time>& t) {
  if (!t) {
    out += "null";
    return;
  }
  out += '"';
  append_iso(out, *t);
  out += '"';
}

void append_seconds_or_null(std::string& out, const std::optional<double>& seconds) {
  if (!seconds)
    out += "null";
  else
    fmt::format_to(std::back_inserter(out), "{}", *seconds);
}

void append_integer(std::string& out, std::int64_t n) {
  fmt::format_to(std::back_inserter(out), "{}", n);
}

void append_body(std::string& out, const outgoing& m) {
  thread_local std::string body;
  body.clear();
  body += '[';
  append_json(body, m.args);
  body += ", ";
  if (m.kwargs.empty())
    body += "{}";
  else
    append_json(body, m.kwargs);
  body += ", {\"callbacks\": ";
  append_json(body, m.callbacks);
  body += ", \"errbacks\": ";
  append_json(body, m.errbacks);
  body += ", \"chain\": ";
  append_json(body, m.chain);
  body += ", \"chord\": ";
  append_json(body, m.chord);
  body += "}]";
  append_base64(out, body);
}

void append_headers(std::string& out, const outgoing& m) {
  out += R"({"lang": "c++", "task": )";
  append_json_string(out, m.task);
  out += R"(, "id": )";
  append_json_string(out, m.id);
  out += R"(, "shadow": )";
  append_string_or_null(out, m.shadow);
  out += R"(, "eta": )";
  append_time_or_null(out, m.eta);
  out += R"(, "expires": )";
  append_time_or_null(out, m.expires);
  out += R"(, "group": )";
  append_string_or_null(out, m.group);
  out += R"(, "group_index": )";
  if (m.group_index)
    append_integer(out, *m.group_index);
  else
    out += "null";
  out += R"(, "retries": )";
  append_integer(out, m.retries);
  out += R"(, "timelimit": [)";
  append_seconds_or_null(out, m.hard_limit_s);
  out += ", ";
  append_seconds_or_null(out, m.soft_limit_s);
  out += R"(], "root_id": )";
  append_json_string(out, m.root_id.empty() ? m.id : m.root_id);
  out += R"(, "parent_id": )";
  append_string_or_null(out, m.parent_id);
  out += R"(, "argsrepr": )";
  append_json_string(out, python_repr_tuple(m.args));
  out += R"(, "kwargsrepr": )";
  append_json_string(out, m.kwargs.empty() ? "{}" : python_repr(json(m.kwargs)));
  out += R"(, "origin": )";
  append_json_string(out, origin());
  out += m.ignore_result ? R"(, "ignore_result": true)" : R"(, "ignore_result": false)";
  out += R"(, "replaced_task_nesting": 0, "stamped_headers": null, "stamps": {})";
  if (!m.dedup_key.empty()) {
    out.append(", \"").append(dedup_header).append("\": ");
    append_json_string(out, m.dedup_key);
  }
  for (const auto& [key, value] : m.headers) {
    out += ", ";
    append_json_string(out, key);
    out += ": ";
    append_json(out, value);
  }
  out += '}';
}

}  // namespace

const std::string& host_name() {
  static const std::string name = [] {
    std::array<char, 256> buffer{};
    if (::gethostname(buffer.data(), buffer.size() - 1) != 0) return std::string("localhost");
    return std::string(buffer.data());
  }();
  return name;
}

const std::string& origin() {
  static const std::string name = fmt::format("gen{}@{}", ::getpid(), host_name());
  return name;
}

void append_task_envelope(std::string& out, const outgoing& m) {
  out += R"({"body": ")";
  append_body(out, m);
  out += R"(", "content-encoding": "utf-8", "content-type": "application/json", "headers": )";
  append_headers(out, m);
  out += R"(, "properties": {"correlation_id": )";
  append_json_string(out, m.id);
  out += R"(, "reply_to": )";
  append_json_string(out, m.reply_to);
  out += R"(, "delivery_mode": 2, "delivery_info": {"exchange": "", "routing_key": )";
  append_json_string(out, m.queue);
  out += R"(}, "priority": )";
  append_integer(out, m.priority);
  out += R"(, "body_encoding": "base64", "delivery_tag": ")";
  out += random_uuid();
  out += "\"}}";
}

void append_plain_envelope(std::string& out, const plain_envelope& about,
                           std::string_view body_json) {
  out += R"({"body": ")";
  append_base64(out, body_json);
  out += R"(", "content-encoding": "utf-8", "content-type": "application/json", "headers": )";
  out += about.headers_json;
  fmt::format_to(std::back_inserter(out),
                 R"(, "properties": {{"delivery_mode": {}, "delivery_info": {{"exchange": )",
                 about.delivery_mode);
  append_json_string(out, about.exchange);
  out += R"(, "routing_key": )";
  append_json_string(out, about.routing_key);
  out += R"(}, "priority": 0, "body_encoding": "base64", "delivery_tag": ")";
  out += random_uuid();
  out += "\"}}";
}

}  // namespace skirmish::tasks
