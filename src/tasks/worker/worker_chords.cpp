// Chords: a member's part goes with its turn; whoever brings the last one sends the body.
#include "core/log.hpp"
#include "redis/views.hpp"
#include "tasks/canvas/signature_tree.hpp"
#include "tasks/protocol/text.hpp"
#include "tasks/scripts.hpp"
#include "tasks/worker/worker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace skirmish::tasks {

namespace {

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

struct chord_outcome {
  json_array results;
  std::string failed;  // why it fails; empty: it does not
};

// `saved` is the saved group, when a member ends in a group; such results stand apart.
chord_outcome outcome_of(const std::vector<std::string>& parts, const std::string& saved) {
  chord_outcome out;
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

void worker::push_chord_parts(redis::request& to, const std::vector<chord_part>& all) const {
  const auto ttl =
      std::to_string(std::max<std::int64_t>(1, app_.options.result_expires.count() / 1000));
  for (const auto& p : all) {
    const auto base = app_.keys.group(p.group_id);
    const auto parts = base + ".j", correction = base + ".t", size = base + ".s",
               counted = base + ".d", claim = base + ".c", chords = app_.keys.own("chords");
    const std::vector<std::string_view> keys{parts, correction, size, chords, base, counted, claim};
    const std::vector<std::string_view> args{p.score, p.part, ttl, p.group_id, p.how, p.member};
    redis::push_evalsha(to, scripts::chord_part, keys, args);
  }
}

void worker::after_chord_parts(const std::vector<chord_part>& parts,
                               const std::vector<redis::value>& replies, std::size_t offset) {
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto& all = redis::checked(replies.at(offset + i));
    if (all.size() == 0) continue;
    auto work = [this, gid = parts[i].group_id, how = parts[i].how, list = all.as_strings()] {
      return fire_chord(gid, how, list);
    };
    group_.spawn("task_chord", std::move(work));
  }
}

// Chords that were complete when the worker that should have sent their body died.
awaitable<void> worker::sweep_chords() {
  auto& redis = results_ ? *results_ : side_;
  const auto pending = redis::checked(co_await redis.command("HGETALL", app_.keys.own("chords")));
  for (const auto& [gid, how] : pending.as_pairs()) {
    const auto parsed = parse_json(how);
    const auto* at =
        parsed && parsed->is_object() ? parsed->get_object().if_contains("at") : nullptr;
    if (at && at->is_number() && unix_now_s() - at->to_number<double>() < 10.0) continue;
    const auto parts =
        redis::checked(co_await redis.command("ZRANGE", app_.keys.group(gid) + ".j", 0, -1));
    co_await fire_chord(gid, how, parts.as_strings());
  }
}

// Who waits for the body learns that it will not run: by its result, its errbacks, and the chord of
// which it is a member. All of that may be done twice.
awaitable<void> worker::fail_chord_body(const json& body, const std::string& failed,
                                        const sending& sender, plan& errbacks) {
  const auto why = make_failure("ChordError", failed, std::string(exceptions_module));
  std::string why_json;
  append_json(why_json, why.to_json());
  const auto ttl = std::max<std::int64_t>(1, app_.options.result_expires.count() / 1000);
  const auto given_up = abandon(body);
  redis::request reports;
  for (const auto& id : given_up.ids) {
    std::string document;
    append_result_document(document, {.id = id, .status = "FAILURE", .result_json = why_json});
    reports.push("SETEX", app_.keys.result(id), ttl, document);
    reports.push("PUBLISH", app_.keys.result(id), document);
  }
  std::vector<chord_part> outer;
  if (given_up.chord.is_object() && !given_up.group_id.empty())
    for (const auto& id : given_up.ends)
      outer.push_back(part_of({sender.parent_id, sender.root_id}, given_up.group_id,
                              given_up.group_index, id, given_up.chord, "FAILURE", why_json));
  auto& at = results_ ? *results_ : side_;
  if (!outer.empty()) co_await load_scripts(at);
  const auto first_part = reports.get_commands();
  push_chord_parts(reports, outer);
  if (reports.get_commands() > 0)
    after_chord_parts(outer, redis::checked(co_await at.exec(std::move(reports))), first_part);
  const auto* options = object_at(body.get_object(), "options");
  const auto* list = options ? options->if_contains("link_error") : nullptr;
  if (list == nullptr || !list->is_array()) co_return;
  json_array fed;
  fed.push_back(json(std::string(text_at(*options, "task_id"))));
  for (const auto& errback : list->get_array())
    if (const auto ok = expand(errback, fed, sender, errbacks); !ok)
      log::warn("task_errback_bad", {{"error", ok.error().message}});
}

// All parts are there: the body is sent with them, or it fails because a part did.
awaitable<void> worker::fire_chord(std::string gid, std::string how,
                                   std::vector<std::string> parts) {
  const auto parsed = parse_json(how);
  if (!parsed || !parsed->is_object()) co_return;
  const auto& about = parsed->get_object();
  const auto* body = about.if_contains("body");
  if (body == nullptr || !body->is_object()) co_return;
  auto& at = results_ ? *results_ : side_;
  const auto saved = redis::checked(co_await at.command("GET", app_.keys.group(gid)));
  auto [results, failed] = outcome_of(parts, saved.is_nil() ? std::string() : saved.as_string());
  auto sending = app_.sending_now(nullptr);
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
  if (!failed.empty()) co_await fail_chord_body(*body, failed, sending, made);
  redis::request beginnings;
  const auto ttl = std::max<std::int64_t>(1, app_.options.result_expires.count() / 1000);
  for (const auto& inner : made.chords)
    for (const auto& [key, value] : chord_keys(app_.keys, inner))
      beginnings.push("SETEX", key, ttl, value);
  if (beginnings.get_commands() > 0) redis::checked(co_await at.exec(std::move(beginnings)));
  redis::request apart;
  for (const auto& m : made.messages) {
    auto to = address(app_.keys, m);
    if (results_) {
      apart.push("LPUSH", to.list, to.envelope);
    } else {
      words.push_back(std::move(to.list));
      words.push_back(std::move(to.envelope));
    }
  }
  const auto base = app_.keys.group(gid);
  const auto chords = app_.keys.own("chords"), j = base + ".j", t = base + ".t", s = base + ".s",
             d = base + ".d", c = base + ".c";
  const std::vector<std::string_view> keys{chords, j, t, s, d, c};
  const auto args = redis::views(words);
  const auto fired = redis::checked(co_await at.eval(scripts::fire_chord, keys, args));
  if (!fired.as_bool()) co_return;
  for (const auto& events : app_.sent_events(made.messages))
    apart.push("PUBLISH", app_.keys.event_channel("task.multi"), events);
  if (apart.get_commands() > 0) redis::checked(co_await side_.exec(std::move(apart)));
}

}  // namespace skirmish::tasks
