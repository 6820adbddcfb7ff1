#include "tasks/admin/original.hpp"

#include "tasks/admin/dead_letters.hpp"
#include "tasks/protocol/json_text.hpp"
#include "tasks/protocol/message.hpp"
#include "tasks/protocol/python_literal.hpp"
#include "tasks/protocol/uuid.hpp"

#include <algorithm>
#include <array>
#include <map>

namespace skirmish::tasks {
namespace {

// Headers that the protocol gives a meaning; the others are the user's own.
constexpr std::array known_headers{"lang",
                                   "task",
                                   "id",
                                   "root_id",
                                   "parent_id",
                                   "group",
                                   "group_index",
                                   "retries",
                                   "eta",
                                   "expires",
                                   "timelimit",
                                   "argsrepr",
                                   "kwargsrepr",
                                   "origin",
                                   "ignore_result",
                                   "shadow",
                                   "compression",
                                   "redelivered",
                                   "stamped_headers",
                                   "stamps",
                                   "replaced_task_nesting"};

json_object own_headers_of(const message& m) {
  json_object out;
  const auto parsed = parse_json(m.headers);
  if (!parsed || !parsed->is_object()) return out;
  for (const auto& [name, v] : parsed->get_object()) {
    const std::string_view key = name;
    const bool is_ours = key == restored_header || key == returned_header || key == dedup_header;
    if (!is_ours && std::ranges::find(known_headers, key) == known_headers.end()) out[name] = v;
  }
  return out;
}

result<outgoing> from_envelope(std::string raw) {
  message m(std::move(raw));
  if (const auto ok = parse_envelope(m); !ok) return ok.error();
  auto body = parse_body(m);
  if (!body) return body.error();
  outgoing out;
  out.task = m.task;
  out.id = new_uuid();
  out.root_id = m.root();
  out.parent_id = m.id;
  out.queue = m.routing_key;
  out.priority = m.priority;
  out.hard_limit_s = m.hard_limit_s;
  out.soft_limit_s = m.soft_limit_s;
  out.ignore_result = m.ignore_result;
  out.shadow = m.shadow;
  out.reply_to = m.reply_to;
  out.headers = own_headers_of(m);
  // Out of the arena that they share.
  const boost::json::storage_ptr plain;
  out.args = json_array(body->args, plain);
  out.kwargs = json_object(body->kwargs, plain);
  out.callbacks = std::move(body->callbacks);
  out.errbacks = std::move(body->errbacks);
  out.chain = std::move(body->chain);
  return out;
}

// A value as stored by Celery: itself, or its text as JSON or by repr().
std::optional<json> value_of(const json* stored) {
  if (stored == nullptr || stored->is_null()) return std::nullopt;
  if (!stored->is_string()) return *stored;
  const std::string_view text = stored->get_string();
  if (auto parsed = parse_json(text)) return std::move(*parsed);
  return parse_python_literal(text);
}

struct call {
  std::optional<json> args, kwargs;
  [[nodiscard]] bool is_whole() const {
    return args && args->is_array() && kwargs && kwargs->is_object();
  }
};

// What the events told: repr() of a tuple and a dict.
call from_events(const std::map<std::string, std::string>& row) {
  const auto read = [&row](const char* field) -> std::optional<json> {
    const auto found = row.find(field);
    return found == row.end() ? std::nullopt : parse_python_literal(found->second);
  };
  return {read("args"), read("kwargs")};
}

error not_whole() {
  return {errc::conflict,
          "the whole arguments of this task are not known: C++ workers keep them when a task "
          "fails, Python workers store them with result_extended"};
}

}  // namespace

awaitable<result<outgoing>> original_of(broker_view at, std::string id, std::string queue) {
  redis::request ask;
  ask.push("GET", at.keys.own("history:message:", id));
  ask.push("HGETALL", at.keys.own("history:task:", id));
  ask.push("GET", at.keys.result(id));
  const auto replies = redis::checked(co_await at.redis.exec(std::move(ask)));
  auto raw = replies[0].is_nil() ? std::optional<std::string>() : replies[0].as_string();
  if (!raw && replies[1].size() == 0 && replies[2].is_nil())
    co_return error{errc::not_found, "there is no such task"};
  if (!raw) {
    auto letter = co_await find_dead_letter(at, id);
    if (!letter.empty()) raw = std::move(letter);
  }
  if (raw) {
    auto out = from_envelope(std::move(*raw));
    if (out && !queue.empty()) out->queue = std::move(queue);
    co_return out;
  }
  std::map<std::string, std::string> row;
  for (auto& [field, text] : replies[1].as_pairs()) row.emplace(std::move(field), std::move(text));
  const auto document = parse_json(replies[2].as_string());
  const json_object none;
  const auto& stored = document && document->is_object() ? document->get_object() : none;
  call known{value_of(stored.if_contains("args")), value_of(stored.if_contains("kwargs"))};
  if (!known.is_whole()) known = from_events(row);
  if (!known.is_whole()) co_return not_whole();
  outgoing out;
  out.id = new_uuid();
  out.task = row.contains("name") ? row["name"] : std::string(text_at(stored, "name"));
  if (out.task.empty()) co_return error{errc::conflict, "the name of this task is not known"};
  out.parent_id = id;
  out.root_id = row.contains("root_id") ? row["root_id"] : id;
  out.args = std::move(known.args->get_array());
  out.kwargs = std::move(known.kwargs->get_object());
  out.queue = std::move(queue);
  if (out.queue.empty()) out.queue = row["queue"];
  if (out.queue.empty()) out.queue = text_at(stored, "queue");
  co_return out;
}

}  // namespace skirmish::tasks
