// Revoking: by id, and by the stamps that Celery 5.3 puts into headers. Both are kept in Redis, too
// (load_revoked), so a worker that starts later knows them.
#include "tasks/protocol/text.hpp"
#include "tasks/worker/worker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>

namespace skirmish::tasks {
namespace {

std::string joined(const std::vector<std::string>& items) {
  std::string out;
  for (const auto& item : items) out += (out.empty() ? "" : ", ") + item;
  return out;
}

int signal_number(const json_object& in) {
  const auto* v = in.if_contains("signal");
  if (v && v->is_int64()) return static_cast<int>(v->get_int64());
  auto name = text_at(in, "signal");
  if (name.starts_with("SIG")) name.remove_prefix(3);
  return name == "KILL"   ? SIGKILL
         : name == "INT"  ? SIGINT
         : name == "QUIT" ? SIGQUIT
         : name == "USR1" ? SIGUSR1
                          : SIGTERM;
}

// A stamp as it stands among the revoked ids.
std::string stamp_id(std::string_view name, const json& value) {
  std::string out(revoked_stamp);
  out.append(name).append("=");
  if (value.is_string())
    out += value.get_string();
  else
    append_json(out, value);
  return out;
}

// A stamp has one value, or several.
std::vector<std::string> stamps_in(const json_object& stamps) {
  std::vector<std::string> out;
  for (const auto& [name, values] : stamps) {
    if (!values.is_array()) {
      out.push_back(stamp_id(name, values));
      continue;
    }
    for (const auto& value : values.get_array()) out.push_back(stamp_id(name, value));
  }
  return out;
}

// Stamps are rare: headers are parsed only when there may be some.
bool may_have_stamps(std::string_view headers) {
  const auto name = headers.find("\"stamps\"");
  const auto brace = name == std::string_view::npos ? name : headers.find('{', name);
  if (brace == std::string_view::npos) return false;
  const auto first = headers.find_first_not_of(' ', brace + 1);
  return first != std::string_view::npos && headers[first] != '}';
}

// `headers` as {"name": value or values}, or as ["name=value", ...].
std::vector<std::string> stamps_named(const json_object& arguments) {
  const auto* headers = arguments.if_contains("headers");
  if (headers && headers->is_object()) return stamps_in(headers->get_object());
  auto listed = strings_at(arguments, "headers");
  for (auto& one : listed) one.insert(0, revoked_stamp);
  return listed;
}

}  // namespace

json worker::answer_revoke(const std::string& method, const json_object& arguments) {
  const auto* flag = arguments.if_contains("terminate");
  const bool end_them =
      method.starts_with("terminate") || (flag && flag->is_bool() && flag->get_bool());
  if (method.ends_with("stamped_headers")) return answer_revoke_stamped(arguments, end_them);
  const auto ids = strings_at(arguments, "task_id");
  std::vector<std::string> running;
  for (const auto& [tag, j] : running_)
    if (std::find(ids.begin(), ids.end(), j->m.id) != ids.end()) running.emplace_back(j->m.id);
  revoke(ids, end_them, signal_number(arguments));
  if (!end_them) return control_ok(fmt::format("tasks {} flagged as revoked", joined(ids)));
  return control_ok(running.empty() ? std::string("terminate: tasks unknown")
                                    : "terminate: " + joined(running));
}

// By stamp: what runs, waits or will come with one of these stamps.
json worker::answer_revoke_stamped(const json_object& arguments, bool terminate) {
  const auto wanted = stamps_named(arguments);
  if (wanted.empty()) return control_error("TypeError(\"missing argument: 'headers'\")");
  revoke(wanted, false, 0);
  std::string named;
  for (const auto& one : wanted)
    named += (named.empty() ? "" : ", ") + one.substr(revoked_stamp.size());
  if (!terminate)
    return control_ok(fmt::format("headers {} flagged as revoked, but not terminated", named));
  std::vector<std::string> running;
  for (const auto& [tag, j] : running_)
    if (is_revoked(*j)) running.emplace_back(j->m.id);
  if (running.empty()) return control_ok(fmt::format("headers {} were not terminated", named));
  revoke(running, true, signal_number(arguments));
  return control_ok(fmt::format("headers {} revoked", named));
}

void worker::revoke(const std::vector<std::string>& ids, bool terminate, int signum) {
  for (const auto& id : ids) {
    remember_revoked(id);
    if (!terminate) continue;
    std::vector<job_ptr> hit;
    for (const auto& [tag, j] : running_)
      if (j->m.id == id) hit.push_back(j);
    for (const auto& j : hit) {
      give_up_running(j, revoked_failure("terminated"), outcome::revoked, signum);
      events_.revoked(id, true, signum, false);
    }
  }
  if (fresh_revokes_.empty()) return;
  group_.spawn("task_revoked", [this] { return load_revoked(); });
}

void worker::remember_revoked(std::string id) {
  const auto until = unix_now_s() + std::chrono::duration<double>(revoke_memory).count();
  const auto [at, added] = revoked_.try_emplace(id, until);
  at->second = until;
  if (!added) return;
  fresh_revokes_.push_back(id);
  revoked_order_.push_back(std::move(id));
  while (revoked_order_.size() > revoke_memory_limit) {
    revoked_.erase(revoked_order_.front());
    revoked_order_.pop_front();
  }
}

bool worker::is_revoked(const job& j) const {
  if (revoked_.empty()) return false;
  const auto knows = [this](const std::string& id) {
    const auto found = revoked_.find(id);
    return found != revoked_.end() && found->second > unix_now_s();
  };
  if (knows(std::string(j.m.id))) return true;
  if (!may_have_stamps(j.m.headers)) return false;
  const auto headers = j.headers();
  const auto* stamps = headers.if_contains("stamps");
  if (stamps == nullptr || !stamps->is_object()) return false;
  const auto all = stamps_in(stamps->get_object());
  return std::any_of(all.begin(), all.end(), knows);
}

}  // namespace skirmish::tasks
