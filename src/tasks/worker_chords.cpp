// Chords: a member's part goes with its turn; whoever brings the last one sends the body.
#include "core/log.hpp"
#include "tasks/scripts.hpp"
#include "tasks/worker.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace skirmish::tasks {

void worker::push_chord_parts(redis::request& to, const turn_request& t) const {
  const auto ttl =
      std::to_string(std::max<std::int64_t>(1, app_.options.result_expires.count() / 1000));
  for (const auto& j : t.chord_parts) {
    std::string result = j->result_json;
    const char* state = "SUCCESS";
    if (j->ended != outcome::success) {
      result.clear();
      append_json(result, j->problem.to_json());
      state = j->ended == outcome::revoked ? "REVOKED" : "FAILURE";
    }
    std::string part = "[1, ";
    append_json_string(part, j->m.id);
    part.append(", \"").append(state).append("\", ").append(result).append("]");
    std::string how;
    append_json(how, json_object{{"body", j->chord},
                                 {"parent_id", std::string(j->m.id)},
                                 {"root_id", std::string(j->m.root())},
                                 {"at", unix_now_s()}});
    const auto base = app_.keys.group(j->m.group);
    const auto parts = base + ".j", correction = base + ".t", size = base + ".s",
               counted = base + ".d", claim = base + ".c", chords = app_.keys.own("chords");
    const auto score = j->m.group_index ? std::to_string(*j->m.group_index) : std::string("+inf");
    const std::vector<std::string_view> keys{parts, correction, size, chords, base, counted, claim};
    const std::vector<std::string_view> args{score, part, ttl, j->m.group, how, j->m.id};
    redis::push_evalsha(to, scripts::chord_part, keys, args);
  }
}

void worker::after_chord_parts(const std::vector<job_ptr>& members,
                               const std::vector<redis::value>& replies, std::size_t offset) {
  for (std::size_t i = 0; i < members.size(); ++i) {
    const auto& parts = redis::checked(replies.at(offset + i));
    if (parts.size() == 0) continue;
    const auto& j = members[i];
    std::string how;
    append_json(how, json_object{{"body", j->chord},
                                 {"parent_id", std::string(j->m.id)},
                                 {"root_id", std::string(j->m.root())}});
    const auto gid = std::string(j->m.group);
    auto work = [this, gid, how = std::move(how), list = parts.as_strings()] {
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

// All parts are there: the body is sent with them, or it fails because a part did.
awaitable<void> worker::fire_chord(std::string gid, std::string how,
                                   std::vector<std::string> parts) {
  const auto parsed = parse_json(how);
  if (!parsed || !parsed->is_object()) co_return;
  const auto& about = parsed->get_object();
  const auto* body = about.if_contains("body");
  if (body == nullptr || !body->is_object()) co_return;
  json_array results;
  std::string failed;
  for (const auto& text : parts) {
    const auto part = parse_json(text);
    const auto* fields = part ? part->if_array() : nullptr;
    if (fields == nullptr || fields->size() < 4) continue;
    const auto state = python_repr((*fields)[2]);
    if (state != "'SUCCESS'" && failed.empty()) {
      failure_info info;
      if (const auto* thrown = (*fields)[3].if_object()) {
        if (const auto* type = thrown->if_contains("exc_type"); type && type->is_string())
          info.type = type->get_string();
        if (const auto* message = thrown->if_contains("exc_message");
            message && message->is_array())
          info.arguments = message->get_array();
      }
      failed = fmt::format("Dependency {} raised {}",
                           std::string((*fields)[1].is_string() ? (*fields)[1].get_string() : ""),
                           info.repr());
    }
    results.push_back((*fields)[3]);
  }
  const auto text_of = [&about](std::string_view name) -> std::string {
    const auto* v = about.if_contains(name);
    return v && v->is_string() ? std::string(v->get_string()) : std::string();
  };
  auto sending = app_.sending_now(nullptr);
  sending.parent_id = text_of("parent_id");
  sending.root_id = text_of("root_id");
  plan made;
  std::vector<std::string> words{gid};
  redis::request reports;
  if (failed.empty()) {
    json_array fed;
    fed.emplace_back(std::move(results));
    if (const auto ok = expand(*body, fed, sending, made); !ok) {
      log::warn("task_chord_bad", {{"group", gid}, {"error", ok.error().message}});
      co_return;
    }
  } else {
    const auto* options = body->get_object().if_contains("options");
    const auto* id =
        options && options->is_object() ? options->get_object().if_contains("task_id") : nullptr;
    const auto id_text = id && id->is_string() ? std::string(id->get_string()) : std::string();
    const auto why = make_failure("ChordError", failed, std::string(exceptions_module));
    std::string why_json, document;
    append_json(why_json, why.to_json());
    append_result_document(document, {.id = id_text, .status = "FAILURE", .result_json = why_json});
    const auto ttl = std::max<std::int64_t>(1, app_.options.result_expires.count() / 1000);
    reports.push("SETEX", app_.keys.result(id_text), ttl, document);
    reports.push("PUBLISH", app_.keys.result(id_text), document);
    json_array fed;
    fed.push_back(json(id_text));
    if (const auto* errbacks = options && options->is_object()
                                   ? options->get_object().if_contains("link_error")
                                   : nullptr;
        errbacks && errbacks->is_array())
      for (const auto& errback : errbacks->get_array()) {
        const auto ok = expand(errback, fed, sending, made);
        if (!ok) log::warn("task_errback_bad", {{"group", gid}, {"error", ok.error().message}});
      }
  }
  for (const auto& [inner, size] : made.chords) {
    const auto ttl = std::max<std::int64_t>(1, app_.options.result_expires.count() / 1000);
    reports.push("SETEX", app_.keys.group(inner) + ".s", ttl, size);
  }
  auto& at = results_ ? *results_ : side_;
  if (reports.get_commands() > 0) redis::checked(co_await at.exec(std::move(reports)));
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
  const std::vector<std::string_view> keys{chords, j, t, s, base, d, c};
  const std::vector<std::string_view> args(words.begin(), words.end());
  const auto fired = redis::checked(co_await at.eval(scripts::fire_chord, keys, args));
  if (fired.as_bool() && apart.get_commands() > 0)
    redis::checked(co_await side_.exec(std::move(apart)));
}

}  // namespace skirmish::tasks
