#include "tasks/admin/task_tree.hpp"

#include "tasks/protocol/json_text.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

namespace skirmish::tasks {
namespace {

constexpr std::size_t tasks_limit = 2'000;
constexpr std::size_t part_tasks = 200;
// Stored results are read as they are; larger ones tell nothing here that the history does not.
constexpr std::size_t document_limit_bytes = 64 << 10;

struct node {
  std::string id, name, state, parent, group;
  double at = 0;  // when it was heard of first
};

// Of a group: how many members there are and how they ended.
struct group_state {
  std::int64_t size = 0, ended = 0, failed = 0;
  std::vector<std::string> members;  // when it was saved
};

bool has_ended(std::string_view state) {
  return state == "SUCCESS" || state == "FAILURE" || state == "REVOKED" || state == "REJECTED";
}

// Adds what the history and the stored result tell of each.
awaitable<void> read_nodes(broker_view at, std::vector<std::string> ids,
                           std::map<std::string, node>& to) {
  for (std::size_t from = 0; from < ids.size(); from += part_tasks) {
    const auto end = std::min(ids.size(), from + part_tasks);
    redis::request ask;
    for (auto i = from; i < end; ++i) {
      ask.push("HMGET", at.keys.own("history:task:", ids[i]), "name", "state", "parent_id", "sent",
               "received", "started");
      ask.push("GETRANGE", at.keys.result(ids[i]), 0, document_limit_bytes);
    }
    const auto replies = redis::checked(co_await at.redis.exec(std::move(ask)));
    for (auto i = from; i < end; ++i) {
      const auto& row = replies[2 * (i - from)];
      const auto document = parse_json(replies[2 * (i - from) + 1].as_string());
      const json_object none;
      const auto& stored = document && document->is_object() ? document->get_object() : none;
      if (row[1].is_nil() && stored.empty()) continue;
      auto& n = to[ids[i]];
      n.id = ids[i];
      n.name = row[0].is_nil() ? std::string(text_at(stored, "name")) : row[0].as_string();
      n.state =
          stored.contains("status") ? std::string(text_at(stored, "status")) : row[1].as_string();
      n.parent = row[2].is_nil() ? std::string(text_at(stored, "parent_id")) : row[2].as_string();
      n.group = text_at(stored, "group_id");
      for (const std::size_t moment : {3, 4, 5})
        if (n.at == 0) n.at = row[moment].as_double().value_or(0);
    }
  }
}

awaitable<std::optional<group_state>> read_group(broker_view at, std::string id) {
  redis::request ask;
  const auto base = at.keys.group(id);
  ask.push("GET", base);
  ask.push("GET", base + ".s");
  ask.push("GET", base + ".t");
  ask.push("ZRANGE", base + ".j", 0, -1);
  const auto replies = redis::checked(co_await at.redis.exec(std::move(ask)));
  const bool is_known = !replies[0].is_nil() || !replies[1].is_nil() || replies[3].size() > 0;
  if (!is_known) co_return std::nullopt;
  group_state out;
  out.size = replies[1].as_integer().value_or(0) + replies[2].as_integer().value_or(0);
  // Parts of a chord: [1, id, state, result].
  for (const auto& text : replies[3].elements()) {
    const auto part = parse_json(text.as_string());
    if (!part || !part->is_array() || part->get_array().size() < 3) continue;
    ++out.ended;
    if (part->get_array()[2] != json("SUCCESS")) ++out.failed;
  }
  // A saved group: {"result": [[id, null], [[[member, null], null], …]]}.
  const auto saved = parse_json(replies[0].as_string());
  const auto* result =
      saved && saved->is_object() ? saved->get_object().if_contains("result") : nullptr;
  const auto* pair = result ? result->if_array() : nullptr;
  const auto* members = pair && pair->size() > 1 ? (*pair)[1].if_array() : nullptr;
  for (const auto& member : members ? *members : json_array()) {
    const auto* tuple = member.if_array();
    const auto* name = tuple && !tuple->empty() ? (*tuple)[0].if_array() : nullptr;
    if (name && !name->empty() && (*name)[0].is_string() && out.members.size() < tasks_limit)
      out.members.emplace_back((*name)[0].get_string());
  }
  out.size = std::max(out.size, static_cast<std::int64_t>(out.members.size()));
  co_return out;
}

class tree_builder {
 public:
  tree_builder(std::map<std::string, node> nodes, std::map<std::string, group_state> groups)
      : nodes_(std::move(nodes)), groups_(std::move(groups)) {
    for (const auto& [id, n] : nodes_)
      if (!n.parent.empty() && n.parent != id) children_[n.parent].push_back(&n);
    for (auto& [parent, list] : children_)
      std::ranges::sort(list, [](const node* a, const node* b) {
        return std::tie(a->at, a->id) < std::tie(b->at, b->id);
      });
  }

  json_object task(const std::string& id) {
    seen_.insert(id);
    const auto found = nodes_.find(id);
    json_object out{{"kind", "task"}, {"id", id}};
    if (found != nodes_.end()) {
      out["name"] = found->second.name;
      out["state"] = found->second.state;
    }
    add_children(out, children_[id], 0);
    return out;
  }

  json_object group(const std::string& id, const std::vector<const node*>& members, int depth) {
    const auto known = groups_.find(id);
    group_state state;
    if (known != groups_.end()) state = known->second;
    std::int64_t ended = 0, failed = 0;
    for (const auto* m : members) {
      if (has_ended(m->state)) ++ended;
      if (has_ended(m->state) && m->state != "SUCCESS") ++failed;
    }
    json_object out{{"kind", "group"},
                    {"id", id},
                    {"size", std::max(state.size, static_cast<std::int64_t>(members.size()))},
                    {"ended", std::max(state.ended, ended)},
                    {"failed", std::max(state.failed, failed)}};
    add_tasks(out, members, depth);
    return out;
  }

  [[nodiscard]] std::vector<const node*> nodes_of(const std::vector<std::string>& ids) const {
    std::vector<const node*> out;
    for (const auto& id : ids)
      if (const auto found = nodes_.find(id); found != nodes_.end()) out.push_back(&found->second);
    return out;
  }

 private:
  // Members of a group stand under it.
  void add_children(json_object& to, const std::vector<const node*>& all, int depth) {
    std::vector<const node*> alone;
    std::map<std::string, std::vector<const node*>> grouped;
    for (const auto* n : all) {
      if (n->group.empty())
        alone.push_back(n);
      else
        grouped[n->group].push_back(n);
    }
    json_array groups;
    for (const auto& [id, members] : grouped)
      if (take(depth)) groups.push_back(group(id, members, depth + 1));
    add_tasks(to, alone, depth);
    auto& children = to["children"].as_array();
    children.insert(children.end(), groups.begin(), groups.end());
  }

  void add_tasks(json_object& to, const std::vector<const node*>& all, int depth) {
    json_array children;
    std::int64_t more = 0;
    for (const auto* n : all) {
      if (seen_.contains(n->id)) continue;
      if (!take(depth)) {
        ++more;
        continue;
      }
      seen_.insert(n->id);
      json_object child{{"kind", "task"}, {"id", n->id}, {"name", n->name}, {"state", n->state}};
      add_children(child, children_[n->id], depth + 1);
      children.push_back(std::move(child));
    }
    to["children"] = std::move(children);
    if (more > 0) to["more"] = more;
  }

  // A place on a level, if there is one.
  bool take(int depth) {
    if (static_cast<std::size_t>(depth) >= tree_depth_limit) return false;
    if (taken_.size() <= static_cast<std::size_t>(depth)) taken_.resize(depth + 1);
    return ++taken_[static_cast<std::size_t>(depth)] <= tree_level_limit;
  }

  std::map<std::string, node> nodes_;
  std::map<std::string, group_state> groups_;
  std::map<std::string, std::vector<const node*>> children_;
  std::set<std::string> seen_;
  std::vector<std::size_t> taken_;  // by level
};

}  // namespace

awaitable<result<json_object>> read_tree(broker_view at, std::string id) {
  std::map<std::string, node> nodes;
  const std::vector<std::string> first{id};
  co_await read_nodes(at, first, nodes);
  std::map<std::string, group_state> groups;
  if (!nodes.contains(id)) {
    auto state = co_await read_group(at, id);
    if (!state) co_return error{errc::not_found, "there is no such task or group"};
    co_await read_nodes(at, state->members, nodes);
    const auto members = state->members;
    groups.emplace(id, std::move(*state));
    tree_builder of_group(std::move(nodes), std::move(groups));
    co_return of_group.group(id, of_group.nodes_of(members), 0);
  }
  const auto root = redis::checked(
      co_await at.redis.command("HGET", at.keys.own("history:task:", id), "root_id"));
  const auto root_id = root.is_nil() ? id : root.as_string();
  const auto related = redis::checked(co_await at.redis.command(
      "ZRANGE", at.keys.own("history:root:", root_id), 0, tasks_limit - 1));
  co_await read_nodes(at, related.as_strings(), nodes);
  std::set<std::string> named;
  for (const auto& [one, n] : nodes)
    if (!n.group.empty() && named.size() < tree_level_limit) named.insert(n.group);
  for (const auto& group : named) {
    auto state = co_await read_group(at, group);
    if (state) groups.emplace(group, std::move(*state));
  }
  const auto parent = nodes[id].parent;
  tree_builder builder(std::move(nodes), std::move(groups));
  auto out = builder.task(id);
  out["root_id"] = root_id;
  if (!parent.empty()) out["parent_id"] = parent;
  co_return out;
}

}  // namespace skirmish::tasks
