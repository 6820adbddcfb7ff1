#include "tasks/admin/schedules.hpp"

#include "core/parse.hpp"
#include "tasks/beat/beat.hpp"
#include "tasks/protocol/json_text.hpp"
#include "tasks/protocol/uuid.hpp"
#include "tasks/protocol/wall_time.hpp"

#include <map>

namespace skirmish::tasks {
namespace {

constexpr std::size_t definition_limit_bytes = 64 << 10;

result<periodic_task> parse_entry(std::string name, const std::string& text) {
  const auto definition = parse_json(text);
  if (!definition || !definition->is_object())
    return error{errc::invalid_argument, "it is not a JSON object"};
  return parse_periodic(std::move(name), definition->get_object());
}

json_object item_of(const std::string& name, const std::string& text, const char* source,
                    const std::string& last) {
  json_object out{{"name", name}};
  if (const auto definition = parse_json(text); definition && definition->is_object())
    for (const auto& [member, v] : definition->get_object())
      if (member != "name") out[member] = v;
  out["source"] = source;
  out["last_run_at"] = nullptr;
  out["next_run_at"] = nullptr;
  const auto entry = parse_entry(name, text);
  if (!entry) {
    out["error"] = entry.error().message;
    return out;
  }
  out["missed"] = entry->run_missed ? "once" : "skip";
  if (last.empty()) return out;
  const auto at = from_unix_s(std::strtod(last.c_str(), nullptr));
  out["last_run_at"] = to_iso(at);
  if (const auto next = next_due(*entry, at)) out["next_run_at"] = to_iso(*next);
  return out;
}

}  // namespace

awaitable<json_object> read_schedules(broker_view at) {
  redis::request ask;
  ask.push("HGETALL", at.keys.own("beat:fixed"));
  ask.push("HGETALL", at.keys.own("beat"));
  ask.push("HGETALL", at.keys.own("beat:last"));
  ask.push("EXISTS", at.keys.own("beat:leader"));
  const auto replies = redis::checked(co_await at.redis.exec(std::move(ask)));
  std::map<std::string, std::string> last_of;
  for (auto& [name, text] : replies[2].as_pairs())
    last_of.emplace(std::move(name), std::move(text));
  // One in Redis takes the place of one of the configuration, as beat has it.
  std::map<std::string, std::pair<const char*, std::string>> all;
  for (auto& [name, text] : replies[0].as_pairs()) all[name] = {"file", std::move(text)};
  for (auto& [name, text] : replies[1].as_pairs()) all[name] = {"redis", std::move(text)};
  json_array items;
  for (const auto& [name, entry] : all)
    if (is_valid_utf8(name) && is_valid_utf8(entry.second))
      items.push_back(item_of(name, entry.second, entry.first, last_of[name]));
  co_return json_object{
      {"items", std::move(items)}, {"next_cursor", nullptr}, {"is_running", replies[3].as_bool()}};
}

awaitable<result<json_object>> put_schedule(broker_view at, std::string name,
                                            json_object definition) {
  auto entry = parse_periodic(name, definition);
  if (!entry) co_return entry.error();
  if (!entry->options.queue.empty() && !is_queue_name(entry->options.queue))
    co_return error{errc::invalid_argument, "queue must be the name of a queue"};
  const auto text = to_json_text(definition);
  if (text.size() > definition_limit_bytes)
    co_return error{errc::invalid_argument, "the definition is too large"};
  redis::request look;
  look.push("HEXISTS", at.keys.own("beat:fixed"), name);
  look.push("HEXISTS", at.keys.own("beat"), name);
  look.push("HLEN", at.keys.own("beat"));
  look.push("HGET", at.keys.own("beat:last"), name);
  const auto known = redis::checked(co_await at.redis.exec(std::move(look)));
  if (known[0].as_bool() && !known[1].as_bool())
    co_return error{errc::conflict, "this schedule belongs to the configuration of beat"};
  if (!known[1].as_bool() && known[2].as_integer().value_or(0) >= schedules_limit)
    co_return error{errc::conflict, "there are too many schedules"};
  redis::checked(co_await at.redis.command("HSET", at.keys.own("beat"), name, text));
  co_return item_of(name, text, "redis", known[3].as_string());
}

awaitable<result<void>> remove_schedule(broker_view at, std::string name) {
  redis::request change;
  change.push("HEXISTS", at.keys.own("beat:fixed"), name);
  change.push("HDEL", at.keys.own("beat"), name);
  const auto replies = redis::checked(co_await at.redis.exec(std::move(change)));
  if (!replies[1].as_bool()) {
    if (replies[0].as_bool())
      co_return error{errc::conflict, "this schedule belongs to the configuration of beat"};
    co_return error{errc::not_found, "there is no such schedule"};
  }
  // One that is added under this name later begins anew; one of the configuration goes on.
  if (!replies[0].as_bool())
    redis::checked(co_await at.redis.command("HDEL", at.keys.own("beat:last"), name));
  co_return result<void>{};
}

awaitable<result<outgoing>> message_of_schedule(broker_view at, std::string name) {
  redis::request ask;
  ask.push("HGET", at.keys.own("beat"), name);
  ask.push("HGET", at.keys.own("beat:fixed"), name);
  const auto replies = redis::checked(co_await at.redis.exec(std::move(ask)));
  const auto& text = replies[0].is_nil() ? replies[1] : replies[0];
  if (text.is_nil()) co_return error{errc::not_found, "there is no such schedule"};
  auto entry = parse_entry(name, text.as_string());
  if (!entry) co_return error{errc::conflict, "beat refuses it: " + entry.error().message};
  outgoing out;
  out.id = new_uuid();
  out.task = entry->task;
  out.args = std::move(entry->args);
  out.kwargs = std::move(entry->kwargs);
  out.queue = entry->options.queue;
  if (const auto* p = entry->definition.if_contains("priority"))
    out.priority = static_cast<int>(p->get_int64());
  if (const auto* s = entry->definition.if_contains("expires_s"))
    out.expires = wall_now() + std::chrono::microseconds(
                                   static_cast<std::int64_t>(s->to_number<double>() * 1e6));
  co_return out;
}

}  // namespace skirmish::tasks
