#include "tasks/admin/known_workers.hpp"

#include "tasks/protocol/json_text.hpp"

#include <algorithm>
#include <set>

namespace skirmish::tasks {
namespace {

constexpr std::size_t queues_limit = 100;  // remembered of one worker

std::string key_of(std::string_view node, std::string_view instance) {
  return std::string(node).append(1, '\n').append(instance);
}

std::vector<std::string> names_in(const json& list) {
  std::vector<std::string> out;
  if (!list.is_array()) return out;
  for (const auto& one : list.get_array()) {
    std::string_view name;
    if (one.is_string()) name = one.get_string();
    if (one.is_object()) name = text_at(one.get_object(), "name");
    if (!name.empty() && out.size() < queues_limit) out.emplace_back(name);
  }
  return out;
}

void copy(const json_object& from, std::string_view name, json_object& to, std::string_view as) {
  if (const auto* v = from.if_contains(name); v && !v->is_null()) to[as] = *v;
}

}  // namespace

known_workers::entry* known_workers::find_or_add(std::string_view node, std::string_view instance) {
  const auto key = key_of(node, instance);
  if (const auto found = all_.find(key); found != all_.end()) return &found->second;
  if (all_.size() >= limit_workers) {
    const auto lost =
        std::ranges::find_if(all_, [](const auto& one) { return one.second.lost_at.has_value(); });
    if (lost == all_.end()) return nullptr;
    all_.erase(lost);
  }
  auto& added = all_[key];
  added.node = node;
  added.instance = instance;
  added.is_celery = instance.empty();
  return &added;
}

// The one with this name that was heard of last: events do not tell instances apart.
known_workers::entry* known_workers::find_node(std::string_view node) {
  entry* newest = nullptr;
  for (auto at = all_.lower_bound(key_of(node, "")); at != all_.end() && at->second.node == node;
       ++at)
    if (!newest || newest->seen <= at->second.seen) newest = &at->second;
  return newest;
}

void known_workers::see_registered(const json_array& listed, wall_time now) {
  for (const auto& item : listed) {
    const auto& about = item.as_object();
    const auto node = text_at(about, "node");
    const auto beat = parse_iso(text_at(about, "last_heartbeat"));
    if (node.empty() || !beat) continue;
    const auto key = key_of(node, text_at(about, "instance"));
    // A dead one stays registered until somebody recovers it.
    if (!all_.contains(key) && now - *beat > lost_after + lost_shown) continue;
    auto* e = find_or_add(node, text_at(about, "instance"));
    if (e == nullptr) continue;
    e->seen = std::max(e->seen, *beat);
    if (const auto* served = about.if_contains("queues"); served && !e->has_answered)
      e->queues = names_in(*served);
    for (const auto* name : {"host", "pid", "started", "returned"})
      copy(about, name, e->about, name);
    // It was known by its events alone.
    all_.erase(key_of(node, ""));
  }
}

void known_workers::hear(std::string_view node, const json_object& event, wall_time now) {
  auto* e = find_node(node);
  if (e == nullptr || (e->lost_at && !e->is_celery)) e = find_or_add(node, "");
  if (e == nullptr) return;
  e->seen = std::max(e->seen, now);
  for (const auto& [from, to] : {std::pair{"active", "active"}, std::pair{"processed", "processed"},
                                 std::pair{"loadavg", "loadavg"}, std::pair{"pid", "pid"}}) {
    if (std::string_view(to) == "pid" && !e->is_celery) continue;
    copy(event, from, e->about, to);
  }
  if (const auto* pid = e->about.if_contains("pid"); pid && pid->is_number())
    e->about["pid"] = std::to_string(pid->to_number<std::int64_t>());
  const auto software = text_at(event, "sw_ident");
  if (!software.empty())
    e->about["software"] = std::string(software) + " " + std::string(text_at(event, "sw_ver"));
}

void known_workers::hear_farewell(std::string_view node) {
  if (const auto* e = find_node(node)) all_.erase(key_of(e->node, e->instance));
}

void known_workers::see_answer(std::string_view node, const json& answer, wall_time now) {
  auto* e = find_node(node);
  if (e == nullptr || (e->lost_at && !e->is_celery)) e = find_or_add(node, "");
  if (e == nullptr) return;
  e->seen = std::max(e->seen, now);
  if (!answer.is_array()) return;
  e->queues = names_in(answer);
  e->has_answered = true;
}

void known_workers::restore(const json_object& lost) {
  const auto node = text_at(lost, "node");
  const auto at = parse_iso(text_at(lost, "lost_at"));
  const auto seen = parse_iso(text_at(lost, "last_heartbeat"));
  if (node.empty() || !at || !seen) return;
  auto* e = find_or_add(node, text_at(lost, "instance"));
  if (e == nullptr) return;
  e->seen = *seen;
  e->lost_at = *at;
  if (const auto* served = lost.if_contains("queues")) e->queues = names_in(*served);
  for (const auto* name : {"host", "pid", "started", "software"}) copy(lost, name, e->about, name);
}

known_workers::changes known_workers::update(wall_time now) {
  changes out;
  for (auto at = all_.begin(); at != all_.end();) {
    auto& e = at->second;
    const bool is_silent = now - e.seen > lost_after;
    if (e.lost_at && !is_silent) {
      e.lost_at.reset();
      out.found.push_back(at->first);
    }
    if (!e.lost_at && is_silent) {
      e.lost_at = now;
      out.lost.push_back(item_of(e));
    }
    // One that came back under its name is not missed. Nor is one after an hour.
    const bool has_successor = e.lost_at && std::ranges::any_of(all_, [&](const auto& other) {
                                 return other.second.node == e.node && !other.second.lost_at;
                               });
    if (e.lost_at && (has_successor || now - *e.lost_at > lost_shown)) {
      out.found.push_back(at->first);
      at = all_.erase(at);
    } else {
      ++at;
    }
  }
  return out;
}

json_object known_workers::item_of(const entry& e) {
  json_object out{{"node", e.node},
                  {"state", e.lost_at ? "lost" : "online"},
                  {"kind", e.is_celery ? "celery" : "skirmish"},
                  {"last_heartbeat", to_iso(e.seen)}};
  if (!e.instance.empty()) out["instance"] = e.instance;
  if (e.lost_at) out["lost_at"] = to_iso(*e.lost_at);
  if (e.queues) {
    json_array served;
    for (const auto& name : *e.queues) served.push_back(json(name));
    out["queues"] = std::move(served);
  }
  for (const auto& [name, v] : e.about) out[name] = v;
  return out;
}

json_array known_workers::list() const {
  json_array out;
  for (const auto& [key, e] : all_) out.push_back(item_of(e));
  return out;
}

std::vector<std::string> known_workers::served_queues() const {
  std::set<std::string> names;
  for (const auto& [key, e] : all_)
    if (e.queues) names.insert(e.queues->begin(), e.queues->end());
  return {names.begin(), names.end()};
}

std::map<std::string, std::int64_t, std::less<>> known_workers::consumers() const {
  std::map<std::string, std::int64_t, std::less<>> out;
  for (const auto& [key, e] : all_)
    if (e.queues && !e.lost_at)
      for (const auto& name : *e.queues) ++out[name];
  return out;
}

}  // namespace skirmish::tasks
