#include "tasks/worker/chord_joiner.hpp"

#include "core/log.hpp"
#include "redis/views.hpp"
#include "tasks/canvas/signature_tree.hpp"
#include "tasks/protocol/json_text.hpp"
#include "tasks/protocol/wall_time.hpp"
#include "tasks/scripts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace skirmish::tasks {
namespace {

// A complete chord whose worker has not sent the body for so long is sent by another.
constexpr double sweep_after_s = 10.0;

// A member that failed, for ChordError.
std::string dependency_raised(const json& id, const json& thrown) {
  failure_info info;
  if (const auto* fields = thrown.if_object()) {
    if (const auto* type = fields->if_contains("exc_type"); type && type->is_string())
      info.type = type->get_string();
    if (const auto* message = fields->if_contains("exc_message"); message && message->is_array())
      info.arguments = message->get_array();
  }
  return fmt::format("Dependency {} raised {}", id.is_string() ? std::string(id.get_string()) : "",
                     info.repr());
}

struct chord_results {
  json_array results;
  std::string failed;  // why the chord fails; empty: it does not
};

// `saved` is the saved group when a member ends in a group: such results are nested. Else empty.
chord_results results_of(const std::vector<std::string>& parts, const std::string& saved) {
  chord_results out;
  std::map<std::string, json, std::less<>> result_of;
  for (const auto& text : parts) {
    const auto part = parse_json(text);
    const auto* fields = part ? part->if_array() : nullptr;
    if (fields == nullptr || fields->size() < 4) continue;
    const auto& id = (*fields)[1];
    if ((*fields)[2] != json("SUCCESS") && out.failed.empty())
      out.failed = dependency_raised(id, (*fields)[3]);
    out.results.push_back((*fields)[3]);
    if (id.is_string()) result_of.emplace(id.get_string(), (*fields)[3]);
  }
  if (saved.empty()) return out;
  if (const auto tree = parse_json(saved))
    if (auto nested = nest_results(*tree, result_of)) out.results = std::move(*nested);
  return out;
}

}  // namespace

chord_joiner::chord_joiner(worker_context& context) : context_(context) {}

void chord_joiner::join(const chord_part& last, std::vector<std::string> parts) {
  auto work = [this, gid = last.group_id, how = last.how, list = std::move(parts)] {
    return send_body(gid, how, list);
  };
  context_.background.spawn("task_chord", std::move(work));
}

awaitable<void> chord_joiner::sweep() {
  auto& redis = context_.results();
  const auto& names = context_.keys();
  const auto pending = redis::checked(co_await redis.command("HGETALL", names.own("chords")));
  for (const auto& [gid, how] : pending.as_pairs()) {
    const auto parsed = parse_json(how);
    const auto* at =
        parsed && parsed->is_object() ? parsed->get_object().if_contains("at") : nullptr;
    if (at && at->is_number() && unix_now_s() - at->to_number<double>() < sweep_after_s) continue;
    const auto parts =
        redis::checked(co_await redis.command("ZRANGE", names.group(gid) + ".j", 0, -1));
    co_await send_body(gid, how, parts.as_strings());
  }
}

// Reports that the body will not run: in its result, to its errbacks (added to `errbacks`), and to
// the chord of which it is a member. Repeating this is harmless.
awaitable<void> chord_joiner::fail_body(const json& body, const std::string& failed,
                                        const sending& sender, plan& errbacks) {
  const auto why = make_failure("ChordError", failed, std::string(exceptions_module));
  std::string why_json;
  append_json(why_json, why.to_json());
  const auto& names = context_.keys();
  const auto ttl = context_.chord_ttl_s();
  const auto given_up = abandon(body);
  redis::request reports;
  for (const auto& id : given_up.ids) {
    std::string document;
    append_result_document(document, {.id = id, .status = "FAILURE", .result_json = why_json});
    reports.push("SETEX", names.result(id), ttl, document);
    reports.push("PUBLISH", names.result(id), document);
  }
  std::vector<chord_part> outer;
  if (given_up.chord.is_object() && !given_up.group_id.empty())
    for (const auto& id : given_up.ends)
      outer.push_back(part_of({sender.parent_id, sender.root_id}, given_up.group_id,
                              given_up.group_index, id, given_up.chord, "FAILURE", why_json));
  auto& redis = context_.results();
  if (!outer.empty())
    redis::checked(co_await redis.command("SCRIPT", "LOAD", scripts::chord_part.source()));
  const auto first_part = reports.get_commands();
  push_chord_parts(reports, names, ttl, outer);
  if (reports.get_commands() > 0) {
    const auto replies = redis::checked(co_await redis.exec(std::move(reports)));
    for (std::size_t i = 0; i < outer.size(); ++i)
      if (const auto& all = replies.at(first_part + i); all.size() > 0)
        join(outer[i], all.as_strings());
  }
  const auto* options = object_at(body.get_object(), "options");
  const auto* list = options ? options->if_contains("link_error") : nullptr;
  if (list == nullptr || !list->is_array()) co_return;
  json_array fed;
  fed.push_back(json(std::string(text_at(*options, "task_id"))));
  for (const auto& errback : list->get_array())
    if (const auto ok = expand(errback, fed, sender, errbacks); !ok)
      log::warn("task_errback_bad", {{"error", ok.error().message}});
}

// Sends the body with the results of all parts, or fails it because a part failed.
awaitable<void> chord_joiner::send_body(std::string gid, std::string how,
                                        std::vector<std::string> parts) {
  const auto parsed = parse_json(how);
  if (!parsed || !parsed->is_object()) co_return;
  const auto& about = parsed->get_object();
  const auto* body = about.if_contains("body");
  if (body == nullptr || !body->is_object()) co_return;
  auto& redis = context_.results();
  const auto& names = context_.keys();
  const auto saved = redis::checked(co_await redis.command("GET", names.group(gid)));
  auto [results, failed] = results_of(parts, saved.is_nil() ? std::string() : saved.as_string());
  auto sending = context_.application.sending_now(nullptr);
  sending.parent_id = text_at(about, "parent_id");
  sending.root_id = text_at(about, "root_id");
  plan made;
  std::vector<std::string> words{gid};
  if (failed.empty()) {
    json_array fed;
    fed.emplace_back(std::move(results));
    if (const auto ok = expand(*body, fed, sending, made); !ok) {
      log::warn("task_chord_bad", {{"group", gid}, {"error", ok.error().message}});
      made = {};
      failed = ok.error().message;
    }
  }
  if (!failed.empty()) co_await fail_body(*body, failed, sending, made);
  redis::request new_chords;
  const auto ttl = context_.chord_ttl_s();
  for (const auto& inner : made.chords)
    for (const auto& [key, value] : chord_keys(names, inner))
      new_chords.push("SETEX", key, ttl, value);
  if (new_chords.get_commands() > 0) redis::checked(co_await redis.exec(std::move(new_chords)));
  redis::request to_broker;
  for (const auto& m : made.messages) {
    auto to = address(names, m);
    if (context_.has_separate_results()) {
      to_broker.push("LPUSH", to.list, to.envelope);
    } else {
      words.push_back(std::move(to.list));
      words.push_back(std::move(to.envelope));
    }
  }
  const auto base = names.group(gid);
  const auto chords = names.own("chords"), j = base + ".j", t = base + ".t", s = base + ".s",
             d = base + ".d", c = base + ".c";
  const std::vector<std::string_view> keys{chords, j, t, s, d, c};
  const auto args = redis::views(words);
  const auto fired = redis::checked(co_await redis.eval(scripts::fire_chord, keys, args));
  if (!fired.as_bool()) co_return;
  for (const auto& events : context_.application.sent_events(made.messages))
    to_broker.push("PUBLISH", names.event_channel("task.multi"), events);
  if (to_broker.get_commands() > 0)
    redis::checked(co_await context_.side.exec(std::move(to_broker)));
}

}  // namespace skirmish::tasks
