#include "interactions/pending_state.hpp"

#include "interactions/interactions_keys.hpp"
#include "redis/views.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace skirmish::interactions {
namespace {

const redis::script state_script{
    "interactions/pending_state",
#include "interactions/pending_state.lua.inc"
};

pending_writes read_writes(const redis::value& bytes, const redis::value& oldest) {
  pending_writes out;
  out.bytes = bytes.as_integer().value_or(0);
  if (const auto ms = oldest.as_integer()) out.oldest = timestamp{std::chrono::milliseconds{*ms}};
  return out;
}

}  // namespace

std::chrono::milliseconds age_of(const pending_writes& what, timestamp now) {
  return std::max(now - what.oldest.value_or(now), std::chrono::milliseconds(0));
}

std::chrono::milliseconds pending_state::age(timestamp now) const {
  return std::max(age_of(attacks, now), age_of(activity, now));
}

awaitable<pending_state> read_pending_state(redis::client& redis, const redis::key_space& keys) {
  std::vector<std::string> names{
      pending_bytes_key(keys),
      pending_activity_key(keys, "bytes"),
      pending_activity_key(keys, "pending"),
      pending_activity_key(keys, "filing"),
      pending_activity_key(keys, "filed"),
      pending_activity_key(keys, "since"),
  };
  for (std::size_t part = 0; part < attack_parts; ++part) {
    names.push_back(pending_index_key(keys, part));
    names.push_back(pending_key(keys, part));
  }
  const auto key_views = redis::views(names);
  const auto reply = redis::checked(co_await redis.eval(state_script, key_views, {}));
  co_return pending_state{read_writes(reply[0], reply[1]), read_writes(reply[2], reply[3])};
}

}  // namespace skirmish::interactions
