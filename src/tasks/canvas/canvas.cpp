#include "tasks/canvas/canvas.hpp"

#include "core/ids.hpp"
#include "skirmish/tasks/signature.hpp"
#include "tasks/canvas/signature_tree.hpp"
#include "tasks/protocol/json_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ranges>

namespace skirmish::tasks {
namespace {

// Bounds what a hostile message can make us allocate.
constexpr std::size_t message_limit = 1'000'000;

error bad(std::string what) { return {errc::invalid_argument, std::move(what)}; }

json body_of_chord(const json_object& sig) {
  const auto* kwargs = object_at(sig, "kwargs");
  const auto* v = kwargs ? kwargs->if_contains("body") : nullptr;
  return v ? *v : json();
}

json chain_of(json_array steps) {
  if (steps.size() == 1) return std::move(steps[0]);
  return make_signature("chain", {{"tasks", std::move(steps)}});
}

// Options of the whole apply to its last step. But an id that this step already has stays: a
// chord's may be the id of its group.
void inherit_options(json_object& last, const json_object& whole) {
  auto& own = own_object_at(last, "options");
  if (const auto* id = whole.if_contains("task_id"); id && text_at(own, "task_id").empty())
    own["task_id"] = *id;
  for (const auto name : {"group_id", "group_index", "chord"})
    if (const auto* v = whole.if_contains(name)) own[name] = *v;
}

class expander {
 public:
  expander(const sending& how, plan& to) : how_(how), to_(to) {}

  result<void> apply(json_object sig, const json_array& fed, int depth) {
    if (depth > depth_limit) return bad("the signature is nested too deeply");
    if (to_.messages.size() > message_limit) return bad("the signature has too many members");
    const auto kind = kind_of(sig);
    if (kind == "chain") return chain(std::move(sig), fed, depth);
    if (kind == "group") return group(std::move(sig), fed, depth);
    if (kind == "chord") return chord(std::move(sig), fed, depth);
    return single(sig, fed, {});
  }

  // Steps in order of execution.
  result<void> steps(json_array all, const json_array& fed, int depth) {
    json_array flat;
    if (auto ok = flatten(all, flat, depth); !ok) return ok;
    if (flat.empty()) return bad("a chain without steps");
    auto folded = fold(std::move(flat));
    for (auto& step : folded) ensure_id(*last_or_self(step));
    auto first = std::move(folded[0].get_object());
    if (folded.size() == 1) return apply(std::move(first), fed, depth + 1);
    json_array rest(std::make_reverse_iterator(folded.end()),
                    std::make_reverse_iterator(folded.begin() + 1));
    auto* last = last_of(rest[0].get_object());
    if (last == nullptr) return bad("a chain whose last step is empty");
    const auto end = name_ends(rest[0].get_object(), {}, depth);
    if (!end) return end.error();
    auto last_id = ensure_id(*last);
    if (auto ok = single(first, fed, std::move(rest)); !ok) return ok;
    to_.last_id = std::move(last_id);
    to_.member_ids = members_in(*end);
    return {};
  }

 private:
  static json_object* last_or_self(json& step) {
    auto* last = last_of(step.get_object());
    return last ? last : &step.get_object();
  }

  // Chains inside chains become their steps.
  result<void> flatten(const json_array& from, json_array& into, int depth) {
    if (depth > depth_limit) return bad("the chain is nested too deeply");
    for (const auto& step : from) {
      if (!step.is_object()) return bad("a step of a chain is not a signature");
      if (kind_of(step.get_object()) == "chain") {
        if (auto ok = flatten(list_in(step.get_object(), "tasks"), into, depth + 1); !ok) return ok;
      } else {
        into.push_back(step);
      }
    }
    return {};
  }

  // A group or chord that is followed by something becomes a chord whose body is all that follows.
  static json_array fold(json_array flat) {
    json_array rest;
    for (const auto& step : flat | std::views::reverse) {
      const auto& sig = step.get_object();
      const auto kind = kind_of(sig);
      if (kind == "group" && !rest.empty()) {
        rest = json_array{chord_of(list_in(sig, "tasks"), chain_of(std::move(rest)))};
      } else if (kind == "chord" && !rest.empty()) {
        rest.insert(rest.begin(), body_of_chord(sig));
        rest = json_array{chord_of(list_in(sig, "header"), chain_of(std::move(rest)))};
      } else {
        rest.insert(rest.begin(), step);
      }
    }
    return rest;
  }

  result<void> chain(json_object sig, const json_array& fed, int depth) {
    auto all = list_in(sig, "tasks");
    // Callbacks of the chain belong to its last step, errbacks to every step.
    if (const auto* options = object_at(sig, "options"); options && !all.empty()) {
      for (auto& step : all) {
        if (!step.is_object()) return bad("a step of a chain is not a signature");
        if (const auto* errbacks = options->if_contains("link_error"))
          append_option(step.get_object(), "link_error", *errbacks);
      }
      if (auto* last = last_of(all.back().get_object())) {
        if (const auto* links = options->if_contains("link")) append_option(*last, "link", *links);
        inherit_options(*last, *options);
      }
    }
    return steps(std::move(all), fed, depth);
  }

  result<void> send_members(json_array members, const std::string& gid, const json& chord_body,
                            const json_array& fed, int depth) {
    json_array ends;
    std::vector<std::string> ids;
    std::int64_t index = 0;
    for (auto& member : members) {
      auto end = name_ends(member.get_object(), chord_body.is_null() ? "" : gid, depth);
      if (!end) return end.error();
      add_ends(*end, ids);
      ends.push_back(std::move(*end));
      // The result of a member is that of its last step.
      auto& options = own_object_at(*last_of(member.get_object()), "options");
      options["group_id"] = gid;
      options["group_index"] = index++;
      if (!chord_body.is_null()) options["chord"] = chord_body;
      if (auto ok = apply(std::move(member.get_object()), fed, depth + 1); !ok) return ok;
    }
    to_.last_id = gid;
    to_.member_ids = std::move(ids);
    to_.result_tuple = json_array{json_array{gid, nullptr}, std::move(ends)};
    return {};
  }

  result<void> group(json_object sig, const json_array& fed, int depth) {
    json_array members;
    if (auto ok = members_of(list_in(sig, "tasks"), members, depth); !ok) return ok;
    const auto gid = ensure_id(sig);
    if (const auto* options = object_at(sig, "options")) {
      for (const auto name : {"link", "link_error"})
        if (const auto* v = options->if_contains(name))
          for (auto& member : members) append_option(member.get_object(), name, *v);
      // The end of a chord's member: its members belong to the chord, which has counted them.
      const auto* body = options->if_contains("chord");
      const auto chord_id = text_at(*options, "group_id");
      if (body && body->is_object() && !chord_id.empty())
        return send_members(std::move(members), std::string(chord_id), *body, fed, depth);
    }
    return send_members(std::move(members), gid, nullptr, fed, depth);
  }

  result<void> chord(json_object sig, const json_array& fed, int depth) {
    json_array members;
    if (auto ok = members_of(list_in(sig, "header"), members, depth); !ok) return ok;
    auto body = body_of_chord(sig);
    if (!body.is_object()) return bad("a chord without a body");
    auto* last = last_of(body.get_object());
    if (last == nullptr) return bad("a chord with an empty body");
    if (const auto* options = object_at(sig, "options")) {
      inherit_options(*last, *options);
      for (const auto name : {"link", "link_error"})
        if (const auto* v = options->if_contains(name)) append_option(*last, name, *v);
    }
    const auto id = ensure_id(*last);
    // Celery looks for the id of the whole at the body itself.
    own_object_at(body.get_object(), "options")["task_id"] = id;
    if (members.empty()) {
      json_array no_results;
      no_results.emplace_back(json_array());
      return apply(std::move(body.get_object()), no_results, depth + 1);
    }
    auto end = name_ends(body.get_object(), {}, depth);
    if (!end) return end.error();
    const auto gid = random_uuid();
    const auto which = to_.chords.size();
    to_.chords.push_back({gid, 0, {}});
    if (auto ok = send_members(std::move(members), gid, body, fed, depth); !ok) return ok;
    to_.chords[which].size = to_.member_ids->size();
    auto header = std::move(to_.result_tuple.get_array());
    const auto nests = [](const json& member) { return !member.get_array()[1].is_null(); };
    if (std::ranges::any_of(header[1].get_array(), nests))
      append_json(to_.chords[which].nesting, json_object{{"result", header}});
    to_.last_id = id;
    to_.member_ids = members_in(*end);
    to_.result_tuple = std::move(*end);
    to_.result_tuple.get_array()[0].get_array()[1] = std::move(header);
    return {};
  }

  result<void> single(const json_object& sig, const json_array& fed, json_array chain_rest) {
    outgoing m;
    m.task = text_at(sig, "task");
    if (m.task.empty()) return bad("a signature without a task name");
    const auto* immutable = sig.if_contains("immutable");
    if (!(immutable && immutable->is_bool() && immutable->get_bool())) m.args = fed;
    if (const auto* args = sig.if_contains("args"); args && args->is_array())
      m.args.insert(m.args.end(), args->get_array().begin(), args->get_array().end());
    if (const auto* kwargs = object_at(sig, "kwargs")) m.kwargs = *kwargs;
    m.parent_id = how_.parent_id;
    m.root_id = how_.root_id;
    m.reply_to = how_.reply_to;
    static const json_object no_options;
    const auto* options = object_at(sig, "options");
    if (auto ok = read_options(options ? *options : no_options, m); !ok) return ok;
    if (!chain_rest.empty()) m.chain = std::move(chain_rest);
    to_.last_id = m.id;
    to_.member_ids.reset();
    to_.result_tuple = json_array{json_array{m.id, nullptr}, nullptr};
    to_.messages.push_back(std::move(m));
    return {};
  }

  result<void> read_options(const json_object& options, outgoing& m) {
    m.id = text_at(options, "task_id");
    if (m.id.empty()) m.id = random_uuid();
    m.queue = text_at(options, "queue");
    if (m.queue.empty()) m.queue = text_at(options, "routing_key");
    if (m.queue.empty()) m.queue = how_.route(m.task);
    m.group = text_at(options, "group_id");
    m.shadow = text_at(options, "shadow");
    if (const auto root = text_at(options, "root_id"); !root.empty() && m.root_id.empty())
      m.root_id = root;
    const auto number = [&options](std::string_view name) -> std::optional<double> {
      const auto* v = options.if_contains(name);
      const auto n = v ? as_number(*v) : std::nullopt;
      return n && std::isfinite(*n) ? n : std::nullopt;
    };
    if (const auto n = number("group_index"))
      m.group_index = static_cast<std::int64_t>(std::clamp(*n, -1e15, 1e15));
    if (const auto n = number("priority")) m.priority = static_cast<int>(std::clamp(*n, -1e6, 1e6));
    if (const auto n = number("countdown")) m.eta = how_.now + from_seconds(*n);
    m.hard_limit_s = number("time_limit");
    m.soft_limit_s = number("soft_time_limit");
    if (const auto n = number("expires")) m.expires = how_.now + from_seconds(*n);
    for (const auto& [name, to] : {std::pair{"eta", &m.eta}, std::pair{"expires", &m.expires}}) {
      const auto* v = options.if_contains(name);
      if (v == nullptr || v->is_null() || (v->is_number() && to == &m.expires)) continue;
      const auto at = as_time(*v);
      if (!at) return bad(fmt::format("a signature's {} is not a time", name));
      *to = std::chrono::floor<std::chrono::microseconds>(*at);
    }
    if (const auto* v = options.if_contains("ignore_result"))
      m.ignore_result = v->is_bool() && v->get_bool();
    if (const auto* headers = object_at(options, "headers")) m.headers = *headers;
    const auto list = [&options](std::string_view name) -> json {
      const auto* v = options.if_contains(name);
      if (v == nullptr || v->is_null()) return nullptr;
      if (v->is_object()) return json_array{*v};
      return v->is_array() && !v->get_array().empty() ? *v : json();
    };
    m.callbacks = list("link");
    m.errbacks = list("link_error");
    m.chain = list("chain");
    if (const auto* v = options.if_contains("chord"); v && v->is_object()) m.chord = *v;
    return {};
  }

  static std::chrono::microseconds from_seconds(double s) {
    return std::chrono::microseconds{static_cast<std::int64_t>(std::clamp(s, -1e10, 1e10) * 1e6)};
  }

  const sending& how_;
  plan& to_;
};

}  // namespace

result<void> expand(const json& signature, const json_array& fed, const sending& how, plan& to) {
  if (!signature.is_object()) return bad("not a signature");
  json plain = signature;
  plain_options(plain);
  return expander(how, to).apply(std::move(plain.get_object()), fed, 0);
}

result<void> expand_chain_step(json_array rest, const json_array& fed, const sending& how,
                               plan& to) {
  std::reverse(rest.begin(), rest.end());
  return expander(how, to).steps(std::move(rest), fed, 0);
}

result<void> expand_callbacks(const json_array& callbacks, const json_array& fed,
                              const sending& how, plan& to) {
  if (callbacks.size() == 1) return expand(callbacks[0], fed, how, to);
  return expand(make_signature("group", {{"tasks", callbacks}}), fed, how, to);
}

}  // namespace skirmish::tasks
