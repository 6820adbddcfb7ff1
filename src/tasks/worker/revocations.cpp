#include "tasks/worker/revocations.hpp"

#include "tasks/protocol/control_message.hpp"
#include "tasks/protocol/json_text.hpp"
#include "tasks/protocol/wall_time.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace skirmish::tasks {
namespace {

// What a revoked stamp begins with among revoked ids.
constexpr std::string_view stamp_prefix = "stamp:";

// How a stamp is written among the revoked ids.
std::string stamp_id(std::string_view name, const json& value) {
  std::string out(stamp_prefix);
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

}  // namespace

std::vector<std::string> stamp_ids(const json_object& arguments) {
  const auto* headers = arguments.if_contains("headers");
  if (headers && headers->is_object()) return stamps_in(headers->get_object());
  auto listed = strings_at(arguments, "headers");
  for (auto& one : listed) one.insert(0, stamp_prefix);
  return listed;
}

std::string stamp_text(std::string_view stamp_id) {
  return std::string(stamp_id.substr(stamp_prefix.size()));
}

revocations::revocations(worker_context& context) : context_(context) {}

void revocations::add(std::string id) {
  if (remember(id)) unsaved_.push_back(std::move(id));
}

// False when it was known.
bool revocations::remember(const std::string& id) {
  const auto until = unix_now_s() + std::chrono::duration<double>(revoke_memory).count();
  const auto [at, is_new] = until_.try_emplace(id, until);
  at->second = until;
  if (!is_new) return false;
  order_.push_back(id);
  while (order_.size() > revoke_memory_limit) {
    until_.erase(order_.front());
    order_.pop_front();
  }
  return true;
}

bool revocations::contains(const std::string& id) const {
  const auto found = until_.find(id);
  return found != until_.end() && found->second > unix_now_s();
}

bool revocations::is_revoked(const job& j) const {
  if (until_.empty()) return false;
  if (contains(std::string(j.m.id))) return true;
  if (!may_have_stamps(j.m.headers)) return false;
  const auto headers = j.headers();
  const auto* stamps = headers.if_contains("stamps");
  if (stamps == nullptr || !stamps->is_object()) return false;
  const auto all = stamps_in(stamps->get_object());
  return std::any_of(all.begin(), all.end(), [this](const auto& id) { return contains(id); });
}

std::vector<std::string> revocations::latest_ids(std::size_t limit) const {
  std::vector<std::string> out;
  for (auto id = order_.rbegin(); id != order_.rend() && out.size() < limit; ++id)
    if (!id->starts_with(stamp_prefix)) out.push_back(*id);
  return out;
}

awaitable<void> revocations::synchronise() {
  const auto key = context_.keys().own("revoked");
  redis::request both;
  const auto unsaved = std::exchange(unsaved_, {});
  if (!unsaved.empty()) {
    std::vector<std::string> words;
    const auto until =
        fmt::format("{:.0f}", unix_now_s() + std::chrono::duration<double>(revoke_memory).count());
    for (const auto& id : unsaved) words.insert(words.end(), {until, id});
    both.push_range("ZADD", key, words);
  }
  both.push("ZREMRANGEBYSCORE", key, "-inf", fmt::format("{:.0f}", unix_now_s()));
  both.push("ZREMRANGEBYRANK", key, 0, -static_cast<std::int64_t>(revoke_memory_limit) - 1);
  both.push("ZRANGE", key, 0, -1);
  std::vector<redis::value> replies;
  try {
    replies = redis::checked(co_await context_.side.exec(std::move(both)));
  } catch (const failure&) {
    unsaved_.insert(unsaved_.begin(), unsaved.begin(), unsaved.end());
    throw;
  }
  for (const auto& id : replies.back().as_strings()) remember(id);
}

}  // namespace skirmish::tasks
