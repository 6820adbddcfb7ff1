#include "tasks/worker/unacked.hpp"

#include "tasks/protocol/json_scan.hpp"
#include "tasks/protocol/json_text.hpp"
#include "tasks/scripts.hpp"

#include <algorithm>

namespace skirmish::tasks {
namespace {

constexpr std::size_t put_back_part = 400;  // arguments per script call, four per message

}  // namespace

std::optional<held_message> read_held(std::string_view payload) {
  std::vector<std::string_view> tokens;
  if (!json_scanner(payload).array([&](std::string_view token) { tokens.push_back(token); }) ||
      tokens.size() < 3)
    return std::nullopt;
  held_message out{std::string(tokens[0]), {}};
  if (tokens[2].size() < 2 || !unescape_json(tokens[2].substr(1, tokens[2].size() - 2), out.queue))
    return std::nullopt;
  return out;
}

awaitable<void> put_back(redis::client& redis, const key_names& names,
                         const std::vector<std::string>& args) {
  const auto unacked = names.unacked(), index = names.unacked_index();
  const std::vector<std::string_view> keys{unacked, index};
  for (std::size_t from = 0; from < args.size(); from += put_back_part) {
    const auto to = std::min(from + put_back_part, args.size());
    const std::vector<std::string_view> part(args.begin() + static_cast<std::ptrdiff_t>(from),
                                             args.begin() + static_cast<std::ptrdiff_t>(to));
    redis::checked(co_await redis.eval(scripts::put_back, keys, part));
  }
}

}  // namespace skirmish::tasks
