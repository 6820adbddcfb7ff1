// Writing scores.
#include "core/log.hpp"
#include "leaderboards/enum_names.hpp"
#include "leaderboards/leaderboards.hpp"
#include "leaderboards/leaderboards_keys.hpp"
#include "redis/views.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace skirmish::leaderboards {
namespace {

using namespace std::chrono_literals;

const std::string board_lua =
#include "leaderboards/board.lua.inc"
    ;
const redis::script submit_script{"leaderboards_submit", board_lua +
#include "leaderboards/submit.lua.inc"
};
const redis::script remove_script{"leaderboards_remove", board_lua +
#include "leaderboards/remove.lua.inc"
};

// With their placing, so many scores keep Redis busy for less than a millisecond.
constexpr std::size_t scores_a_script = 50;
// A season can end while scores are being submitted; hardly twice.
constexpr int reset_tries = 3;

std::vector<std::string> arguments(const std::vector<score>& scores, std::size_t first,
                                   std::size_t last, timestamp now, bool has_id) {
  std::vector<std::string> args{std::to_string(now.time_since_epoch().count()), has_id ? "1" : "0"};
  for (std::size_t i = first; i < last; ++i) {
    const auto& s = scores[i];
    args.push_back(s.player_id);
    args.emplace_back(s.op ? to_string(*s.op) : "");
    args.push_back(fmt::format("{:.17g}", s.value));
    args.push_back(fmt::format("{:.17g}", s.subscore));
    args.push_back(s.metadata);
  }
  return args;
}

}  // namespace

awaitable<std::vector<submitted>> service::submit(std::string board, std::vector<score> scores,
                                                  std::string submission_id) {
  auto keys = board_keys(keys_, board);
  const auto done_key =
      submission_id.empty() ? keys[0] : leaderboards::done_key(keys_, board, submission_id);
  std::vector<submitted> out;
  out.reserve(scores.size());
  int resets = 0;
  for (std::size_t first = 0; first < scores.size();) {
    const auto last = std::min(first + scores_a_script, scores.size());
    const auto names = names_key(keys_);
    const auto step_key = done_key + ':' + std::to_string(first);
    auto key_views = redis::views(keys);
    key_views.push_back(step_key);
    key_views.push_back(names);
    const auto args = arguments(scores, first, last, clock_.now(), !submission_id.empty());
    const auto arg_views = redis::views(args);
    const auto reply = redis::checked(co_await redis_.eval(submit_script, key_views, arg_views));
    if (reply.is_string()) {
      if (++resets > reset_tries)
        throw failure(errc::unavailable, "leaderboards: seasons of " + board + " keep ending");
      const auto now = co_await info_of(board, 0);
      co_await end_season(board, now);
      continue;
    }
    for (std::size_t i = 1; i + 2 < reply.size(); i += 3) {
      const auto& outcome = reply[i + 2].as_string();
      out.push_back({reply[i].as_double().value_or(0), reply[i + 1].as_double().value_or(0),
                     outcome == "changed", outcome == "range"});
    }
    first = last;
  }
  co_return out;
}

awaitable<bool> service::claim(std::string board, std::string submission_id, std::string digest) {
  const auto key = done_key(keys_, board, submission_id) + "@body";
  redis::request r;
  r.push("SET", key, digest, "NX", "PX", std::chrono::milliseconds(10min).count());
  r.push("GET", key);
  const auto replies = redis::checked(co_await redis_.exec(std::move(r)));
  co_return replies[1].is_string() && replies[1].as_string() == digest;
}

awaitable<bool> service::remove(std::string board, std::string player_id) {
  return remove_at(board_key(keys_, board), std::move(player_id));
}

awaitable<bool> service::remove_at(std::string base, std::string player_id) {
  const auto keys = board_keys_at(base);
  const auto key_views = redis::views(keys);
  const std::vector<std::string_view> args{player_id};
  const auto reply = redis::checked(co_await redis_.eval(remove_script, key_views, args));
  co_return reply.as_bool();
}

}  // namespace skirmish::leaderboards
