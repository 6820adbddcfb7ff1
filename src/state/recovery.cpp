#include "state/recovery.hpp"

#include "core/parse.hpp"
#include "interactions/interactions.hpp"
#include "redis/damaged_keys.hpp"
#include "state/state_keys.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace skirmish::state {
namespace {

const redis::script put_script{
    "state/recovery_put",
#include "state/recovery_put.lua.inc"
};

const error missing{errc::not_found, "there is no such snapshot"};

std::vector<std::string_view> split(std::string_view text, char by) {
  std::vector<std::string_view> out;
  while (true) {
    const auto end = std::min(text.find(by), text.size());
    out.push_back(text.substr(0, end));
    if (end == text.size()) return out;
    text.remove_prefix(end + 1);
  }
}

// Without lines that somebody else has written; `damaged` counts them.
std::vector<snapshot> read_index(std::string_view index, std::size_t& damaged) {
  std::vector<snapshot> out;
  if (index.empty()) return out;
  for (const auto line : split(index, '\n')) {
    const auto f = split(line, '\t');
    if (f.size() != 7 || !parse_natural(f[0])) {
      ++damaged;
      continue;
    }
    snapshot s;
    s.id = f[0];
    s.created_at = timestamp{std::chrono::milliseconds{parse_integer(f[1]).value_or(0)}};
    s.size_bytes = parse_integer(f[2]).value_or(0);
    s.is_json = f[3] == "json";
    if (!f[4].empty()) s.position = {std::string(f[4]), parse_integer(f[5]).value_or(0)};
    s.cursor = f[6];
    out.push_back(std::move(s));
  }
  return out;
}

}  // namespace

awaitable<result<recovery::stored>> recovery::put(std::string server, std::string key,
                                                  document value,
                                                  std::optional<stream_position> position) {
  const auto at = recovery_key(keys_, server, key);
  std::vector<std::string> names{at, recovery_keys_key(keys_, server)};
  if (position) {
    names.push_back(interactions::stream_key(keys_, position->stream));
    names.push_back(interactions::log_key(keys_));
  }
  const std::vector<std::string_view> keys(names.begin(), names.end());
  const auto kept = std::to_string(settings_.snapshots);
  const auto ttl_ms = std::to_string(settings_.ttl.count());
  const auto most_keys = std::to_string(settings_.keys_limit);
  const auto stream = position ? position->stream : std::string();
  const auto seq = position ? std::to_string(position->seq) : std::string();
  const std::string_view args[] = {
      key, value.body, value.is_json ? "json" : "bytes", kept, ttl_ms, most_keys, stream, seq};
  const auto raw = co_await redis_.eval(put_script, keys, args);
  if (redis::is_wrong_type(raw)) co_return redis::damaged_key(keys);
  const auto reply = redis::checked(raw);
  const auto& outcome = reply[0].as_string();
  if (outcome == "full") co_return error{errc::conflict, "this server has too many keys"};
  if (outcome == "ahead")
    co_return error{errc::conflict,
                    fmt::format("the stream has committed {} only", reply[1].as_string())};
  if (outcome == "behind")
    co_return error{errc::conflict,
                    fmt::format("there is a snapshot of frame {} already", reply[1].as_string())};
  co_return stored{reply[1].as_string(), reply[2].as_string()};
}

awaitable<result<std::vector<snapshot>>> recovery::list(std::string server, std::string key) {
  const auto at = recovery_key(keys_, server, key);
  const auto raw = co_await redis_.command("HGET", at, "index");
  if (redis::is_wrong_type(raw)) co_return redis::damaged_key(at);
  std::size_t damaged = 0;
  auto out = read_index(redis::checked(raw).as_string(), damaged);
  if (damaged > 0) damaged_.report(at);
  co_return std::move(out);
}

awaitable<result<recovery::found>> recovery::get(std::string server, std::string key,
                                                 std::optional<std::string> id) {
  // A snapshot that is dropped between the two looks is no longer among the last ones: look again.
  for (int attempt = 0; attempt < 3; ++attempt) {
    auto all = co_await list(server, key);
    if (!all) co_return all.error();
    const auto wanted =
        std::ranges::find_if(*all, [&](const snapshot& s) { return !id || s.id == *id; });
    if (wanted == all->end()) co_return missing;
    const auto at = recovery_key(keys_, server, key);
    const auto raw = co_await redis_.command("HGET", at, "body:" + wanted->id);
    if (redis::is_wrong_type(raw)) co_return redis::damaged_key(at);
    auto body = redis::checked(raw);
    if (!body.is_nil()) co_return found{*wanted, std::move(body).as_string()};
  }
  co_return missing;
}

awaitable<result<void>> recovery::remove(std::string server, std::string key) {
  const auto index = recovery_keys_key(keys_, server);
  redis::request r;
  r.push("MULTI");
  r.push("DEL", recovery_key(keys_, server, key));
  r.push("ZREM", index, key);
  r.push("EXEC");
  auto replies = co_await redis_.exec(std::move(r));
  const auto& done = replies[3];
  if (done.size() == 2 && redis::is_wrong_type(done[1]))
    damaged_.report(index);
  else
    replies = redis::checked(std::move(replies));
  if (!replies[3][0].as_bool()) co_return missing;
  co_return result<void>{};
}

}  // namespace skirmish::state
