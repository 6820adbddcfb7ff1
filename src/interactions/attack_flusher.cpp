#include "interactions/attack_flusher.hpp"

#include "core/log.hpp"
#include "core/parse.hpp"
#include "interactions/attack_records.hpp"
#include "interactions/interactions_keys.hpp"
#include "interactions/pending_state.hpp"
#include "redis/hash_dump.hpp"
#include "redis/lease.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

namespace skirmish::interactions {
namespace {

using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

constexpr auto interval = 1s;
constexpr auto round_limit = 1'500ms;     // half of what the lease lasts
constexpr auto behind_from = 1'300ms;     // age of what is read next
constexpr std::size_t many_records = 32;  // of a part
// Below this, nothing is gained by waiting for more records of the same pairs.
constexpr std::int64_t few_bytes = 1 << 20;
constexpr std::int64_t bytes_per_read = 1 << 20;
constexpr int parts_total = static_cast<int>(attack_parts);
constexpr std::int64_t texts_limit = 4'096;  // per read

const error somebody_else{errc::conflict, "another flusher has begun"};
const error reconnected{errc::unavailable, "the connection was lost"};

}  // namespace

attack_flusher::attack_flusher(redis::client& redis, const redis::key_space& keys,
                               const clock& time)
    : redis_(redis), keys_(keys), clock_(time), pause_(redis.context()) {}

// From here on, nothing that was sent before can be executed. Also tries whether this server takes
// our dumps.
awaitable<void> attack_flusher::begin() {
  const auto trial = keys_.key("attacks:trial");
  const std::string_view texts[] = {"id", "", "damage", "1", "ts", "now"};
  redis::dump_hash(dump_, texts);
  connection_ = redis_.stats().connections;
  redis::request first;
  first.push("INCR", attack_fence_key(keys_));
  first.push("RESTORE", trial, 60'000, dump_, "REPLACE");
  first.push("HGET", trial, "ts");
  first.push("DEL", trial);
  const auto replies = co_await redis_.exec(std::move(first));
  fence_ = redis::checked(replies.at(0)).as_integer().value_or(0);
  restores_ = replies.at(2).as_string() == "now";
  parts_since_begin_ = 0;
}

void attack_flusher::append_watch(redis::request& to) const {
  const auto fence = attack_fence_key(keys_);
  to.push("WATCH", fence);
  to.push("GET", fence);
}

void attack_flusher::check_watch(const redis::value& fence) const {
  if (redis::checked(fence).as_integer() != fence_)
    throw failure(somebody_else.code, somebody_else.message);
}

bool attack_flusher::batch_of_parts::is_empty() const {
  return std::ranges::all_of(parts, [](const part_texts& p) { return p.texts.empty(); });
}

// Whoever was interrupted may have written records of as many texts as can be read at once. With
// fewer, the first round would put older ones over them for a moment.
attack_flusher::part_range attack_flusher::range_from(std::size_t first, std::size_t count) const {
  return {first, count,
          parts_since_begin_ < attack_parts ? std::size_t{texts_limit} : texts_per_part_};
}

void attack_flusher::append_read(redis::request& to, const part_range& range) const {
  append_watch(to);
  to.push("TIME");
  for (std::size_t i = 0; i < range.count; ++i)
    to.push("LRANGE", pending_key(keys_, (range.first + i) % attack_parts), 0,
            static_cast<std::int64_t>(range.texts) - 1);
}

attack_flusher::batch_of_parts attack_flusher::take_read(std::span<const redis::value> replies,
                                                         const part_range& range) {
  constexpr std::size_t replies_before = 3;
  check_watch(replies[1]);
  const auto time = redis::checked(replies[2]);
  const std::chrono::milliseconds server_now(time[0].as_integer().value_or(0) * 1'000 +
                                             time[1].as_integer().value_or(0) / 1'000);
  server_ahead_ = server_now - clock_.now().time_since_epoch();
  batch_of_parts out;
  age_ = 0ms;
  for (std::size_t i = 0; i < range.count; ++i) {
    const auto texts = redis::checked(replies[replies_before + i]);
    auto& part = out.parts.emplace_back((range.first + i) % attack_parts, texts.as_strings(), 0);
    for (const auto& text : part.texts) part.bytes += static_cast<std::int64_t>(text.size());
    out.may_be_more |= part.texts.size() == range.texts;
    if (part.texts.empty()) continue;
    const std::string_view oldest = part.texts.front();
    if (const auto ms = parse_integer(oldest.substr(0, oldest.find('\n'))))
      age_ = std::max(age_, clock_.now() - timestamp{std::chrono::milliseconds{*ms}});
  }
  return out;
}

awaitable<attack_flusher::batch_of_parts> attack_flusher::read(part_range range) {
  redis::request look;
  append_read(look, range);
  const auto start = steady::now();
  const auto replies = co_await redis_.exec(std::move(look));
  pace_.note(0, steady::now() - start);
  co_return take_read(replies, range);
}

void attack_flusher::append_record(redis::request& to, const attack_line& record) {
  const auto until = timestamp{std::chrono::milliseconds{record.committed_ms}} + attack_ttl;
  const auto server_until = (until.time_since_epoch() + server_ahead_).count();
  name_.assign(keys_.prefix()).append("attack:").append(record.pair);
  const std::string_view texts[] = {"id", record.id, "damage", record.damage, "ts", record.ts};
  if (restores_) {
    redis::dump_hash(dump_, texts);
    to.push("RESTORE", name_, server_until, dump_, "REPLACE", "ABSTTL");
    return;
  }
  to.push("DEL", name_);
  to.push("HSET", name_, "id", record.id, "damage", record.damage, "ts", record.ts);
  to.push("PEXPIREAT", name_, server_until);
}

void attack_flusher::append_removal(redis::request& to, const batch_of_parts& taken) const {
  std::int64_t bytes = 0;
  for (const auto& part : taken.parts) {
    const auto count = static_cast<std::int64_t>(part.texts.size());
    if (count == 0) continue;
    to.push("LTRIM", pending_key(keys_, part.part), count, -1);
    to.push("LTRIM", pending_index_key(keys_, part.part), count, -1);
    bytes += part.bytes;
  }
  to.push("DECRBY", pending_bytes_key(keys_), bytes);
}

// One transaction. The last of a batch also takes off the lists what was read.
awaitable<std::optional<attack_flusher::batch_of_parts>> attack_flusher::write(
    std::span<const attack_line> records, const batch_of_parts* taken,
    std::optional<part_range> next) {
  redis::request step;
  step.push("MULTI");
  for (const auto& record : records) append_record(step, record);
  if (taken) append_removal(step, *taken);
  step.push("EXEC");
  const auto exec_at = step.get_commands() - 1;
  if (!taken) append_watch(step);
  if (taken && next) append_read(step, *next);
  // What is watched is known to the connection only. Nothing is awaited between this and sending.
  if (redis_.stats().connections != connection_)
    throw failure(reconnected.code, reconnected.message);
  const auto start = steady::now();
  const auto replies = co_await redis_.exec(std::move(step));
  pace_.note(records.size(), steady::now() - start);
  const auto& done = replies.at(exec_at);
  if (done.is_nil()) throw failure(somebody_else.code, somebody_else.message);
  redis::checked(done);
  for (const auto& reply : done.elements())
    if (reply.is_error()) log::error("attack_record_unwritten", {{"error", reply.as_string()}});
  if (!taken) check_watch(replies.at(exec_at + 2));
  if (!taken || !next) co_return std::nullopt;
  co_return take_read(std::span(replies).subspan(exec_at + 1), *next);
}

awaitable<std::optional<attack_flusher::batch_of_parts>> attack_flusher::flush(
    const batch_of_parts& batch, std::optional<part_range> next) {
  if (batch.is_empty()) {
    records_per_part_ = 0;
    co_return std::nullopt;
  }
  latest_attacks latest;
  for (const auto& part : batch.parts)
    for (const auto& text : part.texts)
      if (!latest.add(text))
        log::error("attack_records_unreadable", {{"text", text.substr(0, 200)}});
  const auto expired = (clock_.now() - attack_ttl).time_since_epoch().count();
  std::vector<attack_line> records;
  records.reserve(latest.records().size());
  std::ranges::copy_if(latest.records(), std::back_inserter(records),
                       [&](const attack_line& r) { return r.committed_ms > expired; });
  note_sizes(batch, records.size());
  std::optional<batch_of_parts> ahead;
  std::size_t first = 0;
  bool is_last = false;
  while (!is_last) {
    const auto count = std::min(pace_.step(age_), records.size() - first);
    is_last = first + count == records.size();
    const std::span<const attack_line> some(records.data() + first, count);
    const auto* taken = is_last ? &batch : nullptr;
    ahead = co_await write(some, taken, next);
    first += count;
  }
  co_return ahead;
}

void attack_flusher::note_sizes(const batch_of_parts& batch, std::size_t records) {
  std::int64_t bytes = 0;
  std::int64_t texts = 0;
  for (const auto& part : batch.parts) {
    bytes += part.bytes;
    texts += static_cast<std::int64_t>(part.texts.size());
  }
  records_per_part_ = records / batch.parts.size();
  const auto bytes_per_text = bytes / std::max<std::int64_t>(texts, 1) + 1;
  texts_per_part_ = static_cast<std::size_t>(
      std::clamp<std::int64_t>(bytes_per_read / bytes_per_text, 16, texts_limit));
}

// As many as give one step work: each read waits for its turn, too.
std::size_t attack_flusher::parts_per_read() const {
  const auto wanted = pace_.step(age_) / std::max<std::size_t>(records_per_part_, 1);
  return std::clamp<std::size_t>(wanted, 1, attack_parts / 4);
}

awaitable<void> attack_flusher::pause_until(steady::time_point when) {
  if (when <= steady::now()) co_return;
  pause_.expires_at(when);
  co_await pause_.async_wait(use_awaitable);
}

awaitable<void> attack_flusher::flush_all() {
  co_await begin();
  bool may_be_more = true;
  while (may_be_more) {
    const auto range = range_from(0, attack_parts);
    const auto batch = co_await read(range);
    co_await flush(batch, std::nullopt);
    may_be_more = batch.may_be_more;
  }
}

// One round over the parts, in a second. True when the next should follow at once.
awaitable<bool> attack_flusher::flush_once() {
  const auto start = steady::now();
  // While there is load, each request waits long for its turn: nothing is asked twice.
  bool is_much = records_per_part_ >= many_records;
  if (!is_much) {
    const auto pending = co_await read_pending_state(redis_, keys_);
    if (pending.attacks.bytes == 0) co_return false;
    is_much = pending.attacks.bytes >= few_bytes;
  }
  if (!fence_ || redis_.stats().connections != connection_) co_await begin();
  std::size_t done = 0;
  const auto next_range = [&] {
    const auto count = is_much ? parts_per_read() : attack_parts;
    return range_from(next_part_, std::min(count, attack_parts - done));
  };
  // The lease is renewed between rounds.
  const auto is_late = [start] { return steady::now() > start + round_limit; };
  std::optional<batch_of_parts> ahead;
  while (done < attack_parts && !is_late()) {
    if (!ahead) {
      const auto range = next_range();
      ahead = co_await read(range);
    }
    const auto batch = std::move(*ahead);
    ahead.reset();
    if (!batch.may_be_more) {
      next_part_ = (next_part_ + batch.parts.size()) % attack_parts;
      parts_since_begin_ += batch.parts.size();
      done += batch.parts.size();
    }
    auto due = start;
    if (is_much) due += std::chrono::nanoseconds(interval) * static_cast<int>(done) / parts_total;
    std::optional<part_range> next;
    const bool is_behind = age_ > behind_from || steady::now() >= due;
    if (done < attack_parts && is_behind) next = next_range();
    ahead = co_await flush(batch, next);
    if (!ahead && !is_behind) co_await pause_until(due);
  }
  co_return is_much;
}

awaitable<void> attack_flusher::run() {
  redis::lease mine(redis_, attack_flusher_key(keys_), 3 * interval);
  const auto work = [this]() -> awaitable<bool> {
    try {
      co_return co_await flush_once();
    } catch (...) {
      // It is unknown what will still be executed.
      fence_.reset();
      throw;
    }
  };
  co_await redis::run_led(redis_, mine, interval, "attack_flusher", work);
}

}  // namespace skirmish::interactions
