#include "status/store.hpp"

#include "core/parse.hpp"
#include "status/status_keys.hpp"

namespace skirmish::status {
namespace {

using namespace std::chrono_literals;
using redis::checked;
using redis::request;
using redis::value;

// Redis is near; one that has not answered by then is treated as down, and readers go elsewhere.
constexpr redis::exec_options quick{500ms};

std::string text(const std::optional<std::int64_t>& n) { return n ? std::to_string(*n) : ""; }

// A stream id is the time of the entry in milliseconds and a sequence number.
timestamp time_of(std::string_view stream_id) {
  const auto milliseconds = parse_integer(stream_id.substr(0, stream_id.find('-')));
  return timestamp{std::chrono::milliseconds{milliseconds.value_or(0)}};
}

history_point point_of(const value& entry) {
  history_point out;
  if (entry.size() != 2) return out;
  out.at = time_of(entry[0].as_string());
  for (const auto& [name, field] : entry[1].as_pairs()) {
    if (name == "online") out.is_online = field == "1";
    if (name == "players") out.players = parse_integer(field);
    if (name == "max_players") out.max_players = parse_integer(field);
  }
  return out;
}

}  // namespace

store::store(redis::client& redis, redis::key_space keys)
    : redis_(redis),
      keys_(std::move(keys)),
      lease_(redis, lease_key(keys_), lease_ttl, quick),
      lock_(redis, lock_key(keys_), lock_ttl, quick) {}

awaitable<void> store::wait_connected(std::chrono::milliseconds deadline) {
  return redis_.wait_connected(deadline);
}

awaitable<store::polled> store::poll() {
  request pipeline;
  pipeline.push("GET", document_key(keys_));
  pipeline.push("PTTL", document_key(keys_));
  pipeline.push("GET", interval_key(keys_));
  const auto replies = co_await redis_.exec(std::move(pipeline), quick);
  polled out;
  // A key of another type is an error reply: as good as no document.
  if (replies.at(0).is_string()) out.document = replies.at(0).as_string();
  const auto ttl = replies.at(1).as_integer().value_or(0);
  out.ttl = std::chrono::milliseconds{std::max<std::int64_t>(ttl, 0)};
  if (replies.at(2).is_string()) out.interval = replies.at(2).as_string();
  co_return out;
}

awaitable<void> store::set_interval(std::optional<std::int64_t> seconds) {
  request pipeline;
  if (seconds)
    pipeline.push("SET", interval_key(keys_), *seconds);
  else
    pipeline.push("DEL", interval_key(keys_));
  checked(co_await redis_.exec(std::move(pipeline), quick));
}

awaitable<void> store::write(const document& d, std::chrono::milliseconds ttl) {
  const auto json = to_json(d);
  request pipeline;
  pipeline.push("SET", document_key(keys_), json, "PX", ttl.count());
  pipeline.push("PUBLISH", channel(keys_), json);
  checked(co_await redis_.exec(std::move(pipeline), quick));
}

awaitable<bool> store::replace(const document& d) {
  const auto json = to_json(d);
  request pipeline;
  pipeline.push("SET", document_key(keys_), json, "XX", "KEEPTTL");
  pipeline.push("PUBLISH", channel(keys_), json);
  const auto replies = checked(co_await redis_.exec(std::move(pipeline), quick));
  co_return !replies.at(0).is_nil();
}

awaitable<bool> store::hold_lease() { return lease_.hold(); }

awaitable<void> store::release_lease() { return lease_.release(); }

awaitable<bool> store::take_lock() {
  request one;
  one.push("SET", lock_key(keys_), lock_.token(), "NX", "PX", lock_ttl.count());
  const auto replies = checked(co_await redis_.exec(std::move(one), quick));
  co_return !replies.at(0).is_nil();
}

awaitable<void> store::release_lock() { return lock_.release(); }

awaitable<bool> store::is_locked() {
  request one;
  one.push("EXISTS", lock_key(keys_));
  const auto replies = checked(co_await redis_.exec(std::move(one), quick));
  co_return replies.at(0).as_bool();
}

awaitable<void> store::append_history(const history_point& point, std::int64_t limit) {
  return append(history_key(keys_), point, limit);
}

awaitable<std::vector<history_point>> store::history(timestamp since, std::int64_t limit) {
  return read(history_key(keys_), since, limit);
}

awaitable<void> store::append_server_history(std::string_view name, const history_point& point,
                                             std::int64_t limit) {
  return append(server_history_key(keys_, name), point, limit);
}

awaitable<std::vector<history_point>> store::server_history(std::string_view name, timestamp since,
                                                            std::int64_t limit) {
  return read(server_history_key(keys_, name), since, limit);
}

awaitable<std::vector<std::optional<std::string>>> store::servers(
    const std::vector<std::string>& names) {
  request pipeline;
  for (const auto& name : names) pipeline.push("GET", server_key(keys_, name));
  const auto replies = co_await redis_.exec(std::move(pipeline), quick);
  std::vector<std::optional<std::string>> out(names.size());
  for (std::size_t i = 0; i < names.size(); ++i)
    if (replies.at(i).is_string()) out[i] = replies.at(i).as_string();
  co_return out;
}

awaitable<void> store::write_server(std::string_view name, std::string document,
                                    std::chrono::milliseconds ttl) {
  request one;
  one.push("SET", server_key(keys_, name), document, "PX", ttl.count());
  checked(co_await redis_.exec(std::move(one), quick));
}

awaitable<void> store::append(std::string key, history_point point, std::int64_t limit) {
  request one;
  one.push("XADD", key, "MAXLEN", "~", limit, "*", "online", point.is_online ? 1 : 0, "players",
           text(point.players), "max_players", text(point.max_players));
  checked(co_await redis_.exec(std::move(one), quick));
}

awaitable<std::vector<history_point>> store::read(std::string key, timestamp since,
                                                  std::int64_t limit) {
  request one;
  const auto first = since.time_since_epoch().count();
  one.push("XREVRANGE", key, "+", first, "COUNT", limit);
  const auto replies = checked(co_await redis_.exec(std::move(one)));
  std::vector<history_point> out;
  for (const auto& entry : replies.at(0).elements()) out.push_back(point_of(entry));
  std::reverse(out.begin(), out.end());
  co_return out;
}

}  // namespace skirmish::status
