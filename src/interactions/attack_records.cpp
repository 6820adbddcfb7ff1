#include "interactions/attack_records.hpp"

#include "core/parse.hpp"
#include "interactions/interactions_keys.hpp"
#include "redis/lease.hpp"

#include <boost/asio/steady_timer.hpp>

#include <optional>
#include <ranges>
#include <string>
#include <string_view>
#include <vector>

namespace skirmish::interactions {
namespace {

using namespace std::chrono_literals;

const redis::script flush_script{
    "interactions/flush_pending_attacks",
// clang-format off: in this order
#include "redis/attempt.lua.inc"
#include "interactions/flush_attacks.lua.inc"
#include "interactions/flush_pending_attacks.lua.inc"
    // clang-format on
};

const redis::script oldest_script{
    "interactions/oldest_pending",
#include "interactions/oldest_pending.lua.inc"
};

constexpr auto interval = 1s;
constexpr int records_per_script = 200;  // about a millisecond
constexpr int rest = 9;                  // times what a script took
constexpr int texts_per_page = 100;

// Of a line without the pair: '<damage> <ts> <id>', see flush_attacks.lua.
attack_record read_record(std::string_view text) {
  const auto next = [&text] {
    const auto word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    return word;
  };
  attack_record out;
  out.damage = parse_integer(next()).value_or(0);
  out.ts = next();
  out.id = text;
  return out;
}

struct pending_record {
  std::int64_t committed_ms = 0;
  attack_record record;
};

// The newest of `pair`, which is in a text once at most.
std::optional<pending_record> find_pending(const std::vector<std::string>& texts,
                                           const std::string& pair) {
  const auto begin = '\n' + pair + ' ';
  for (const std::string_view text : texts | std::views::reverse) {
    const auto at = text.find(begin);
    if (at == text.npos) continue;
    const auto line = text.substr(at + 1, text.find('\n', at + 1) - at - 1);
    return pending_record{parse_integer(text.substr(0, text.find('\n'))).value_or(0),
                          read_record(line.substr(pair.size() + 1))};
  }
  return std::nullopt;
}

}  // namespace

awaitable<result<attack_record>> attack_records::latest(std::string attacker_id,
                                                        std::string target_id) {
  const error none{errc::not_found, "no attack of this pair in the last 24 hours"};
  // Page by page from the end, so that Redis is never kept for long: what is added meanwhile is met
  // again, and what is flushed meanwhile is under its own key when that is read at last.
  const auto part = pending_key(keys_, attack_part(attacker_id, target_id));
  std::string pair;
  append_pair(pair, attacker_id, target_id);
  bool is_last_page = false;
  for (int end = -1; !is_last_page; end -= texts_per_page) {
    const auto page =
        redis::checked(co_await redis_.command("LRANGE", part, end - texts_per_page + 1, end));
    is_last_page = page.size() < texts_per_page;
    auto pending = find_pending(page.as_strings(), pair);
    if (!pending) continue;
    const auto oldest = (clock_.now() - attack_ttl).time_since_epoch().count();
    if (pending->committed_ms <= oldest) co_return none;
    co_return std::move(pending->record);
  }
  const auto stored =
      redis::checked(co_await redis_.command("HGETALL", attack_key(keys_, attacker_id, target_id)));
  const auto* ts = stored.find("ts");
  if (!ts) co_return none;
  const auto* id = stored.find("id");
  const auto* damage = stored.find("damage");
  co_return attack_record{id ? id->as_string() : "", damage ? damage->as_integer().value_or(0) : 0,
                          ts->as_string()};
}

awaitable<std::int64_t> attack_records::flush_some() {
  const auto bytes = pending_bytes_key(keys_);
  const auto part = pending_key(keys_, next_part_);
  next_part_ = (next_part_ + 1) % attack_parts;
  const auto now = std::to_string(clock_.now().time_since_epoch().count());
  const auto ttl = std::to_string(attack_ttl / 1ms);
  const auto limit = std::to_string(records_per_script);
  const auto prefix = keys_.prefix();
  const std::string_view keys[] = {bytes, part};
  const std::string_view args[] = {prefix, now, ttl, limit};
  const auto reply = redis::checked(co_await redis_.eval(flush_script, keys, args));
  damaged_.report(reply[1]);
  co_return reply[0].as_integer().value_or(0);
}

awaitable<std::optional<timestamp>> attack_records::oldest_pending() {
  std::vector<std::string> names;
  for (std::size_t part = 0; part < attack_parts; ++part) names.push_back(pending_key(keys_, part));
  const std::vector<std::string_view> keys(names.begin(), names.end());
  const auto reply = redis::checked(co_await redis_.eval(oldest_script, keys, {}));
  const auto ms = reply.as_integer();
  if (!ms) co_return std::nullopt;
  co_return timestamp{std::chrono::milliseconds{*ms}};
}

awaitable<void> attack_records::run_flusher(asio::io_context& io) {
  redis::lease mine(redis_, attack_flusher_key(keys_), 3 * interval);
  asio::steady_timer pause(io);
  const auto work = [&]() -> awaitable<bool> {
    const auto start = std::chrono::steady_clock::now();
    const auto pending = co_await flush_some();
    if (pending == 0) co_return false;
    pause.expires_after(rest * (std::chrono::steady_clock::now() - start));
    co_await pause.async_wait(use_awaitable);
    co_return true;
  };
  co_await redis::run_led(io, redis_, mine, interval, "attack_flusher", work);
}

}  // namespace skirmish::interactions
