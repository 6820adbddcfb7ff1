#include "game_servers/http_log.hpp"

#include "core/ids.hpp"
#include "core/log.hpp"
#include "core/parse.hpp"
#include "game_servers/game_servers_keys.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace skirmish::game_servers {
namespace {

using namespace std::chrono_literals;

// Enough to hold the time and the name of a log's first line.
constexpr std::size_t head_bytes = 128;
// A frame ends with the line that brings it here.
constexpr std::size_t frame_events = 5'000;
// In a frame that cannot be divided.
constexpr std::size_t whole_frame_events = 50'000;
constexpr auto save_interval = 1h;

// Whoever may send for a server may go on with its log.
std::string owner_of(const std::string& server) { return "game-server:" + server; }

std::string_view first_line_of(std::string_view text) {
  const auto end = text.find('\n');
  return end == std::string_view::npos ? text : text.substr(0, end + 1);
}

void feed(ingest::log_parser& parser, std::string_view text, log_block& block) {
  std::vector<ingest::log_event> events;
  while (!text.empty()) {
    text.remove_prefix(parser.feed(text, events));
    block.add(events);
  }
}

// Lets the parser read what is done already.
void catch_up(ingest::log_parser& parser, std::string_view text) {
  std::vector<ingest::log_event> events;
  while (!text.empty()) {
    text.remove_prefix(parser.feed(text, events));
    events.clear();
  }
}

// A function of its own: g++ 12 miscompiles the list of fields in a coroutine.
void warn_of_offsets(const log_post& post) {
  log::warn("ingest_offsets_do_not_fit", {{"server", post.server},
                                          {"begin", post.range->begin},
                                          {"end", post.range->end},
                                          {"body_bytes", post.body.size()}});
}

void say_new_log(const std::string& server, const std::string& stream) {
  log::info("game_server_log_begun", {{"server", server}, {"stream", stream}});
}

bool begins_alike(std::string_view a, std::string_view b) {
  const auto size = std::min(a.size(), b.size());
  return a.substr(0, size) == b.substr(0, size);
}

// Makes the record that of the log which this body is a part of. True when it was another one, or
// less was known of it.
bool choose_stream(log_record& r, const log_post& post) {
  const bool is_first = post.range->begin == 0 && !post.body.empty();
  const bool is_another = r.stream.empty() || r.token != post.token ||
                          (is_first && !r.head.empty() && !begins_alike(r.head, post.body));
  if (is_another) {
    r = {post.token, "source-" + random_hex(16), {}, {}};
    say_new_log(post.server, r.stream);
  }
  const bool knows_more = is_first && r.head.size() < std::min(post.body.size(), head_bytes);
  if (knows_more) r.head = post.body.substr(0, head_bytes);
  return is_another || knows_more;
}

}  // namespace

struct http_log::reading {
  explicit reading(const std::string& of) : server(of) {}

  const std::string& server;
  log_record record;
  bool is_saved = false;  // Redis has the record as it is here
  std::int64_t claim = 0;
  std::uint64_t committed = 0;
  bool is_divisible = true;  // each byte of the body has an offset
  std::string joined;        // the body behind a line that was begun before, if there is one
  std::string_view text;     // to be applied
  std::uint64_t offset = 0;  // of its first byte
  std::uint64_t from = 0;    // the offset of what is new
  std::uint64_t end = 0;     // what is committed when all is done
  std::unique_ptr<ingest::log_parser> parser;
  std::uint64_t parsed_to = 0;
  post_summary out = {};
};

http_log::http_log(event_writer& writer, redis::client& redis, const redis::key_space& keys,
                   log_states& states, ingest::geo_origin origin, metrics::registry& metrics)
    : writer_(writer),
      redis_(redis),
      keys_(keys),
      states_(states),
      origin_(origin),
      lines_(metrics.add_counter("skirmish_ingest_lines_total", "Lines of live logs, by transport.",
                                 R"(transport="http")")),
      unknown_lines_(metrics.add_counter("skirmish_ingest_unknown_lines_total",
                                         "Those of them that were not understood.",
                                         R"(transport="http")")),
      applied_bytes_(metrics.add_counter("skirmish_ingest_http_bytes_total",
                                         "Bytes of logs that came by HTTP, by what became of them.",
                                         R"(outcome="applied")")),
      repeated_bytes_(metrics.add_counter(
          "skirmish_ingest_http_bytes_total",
          "Bytes of logs that came by HTTP, by what became of them.", R"(outcome="repeated")")),
      missed_bytes_(metrics.add_counter("skirmish_ingest_http_bytes_total",
                                        "Bytes of logs that came by HTTP, by what became of them.",
                                        R"(outcome="missed")")),
      unnumbered_(metrics.add_counter(
          "skirmish_ingest_http_unnumbered_total",
          "Requests without offsets: if one was sent twice, it was applied twice.")) {}

std::unique_ptr<ingest::log_parser> http_log::new_parser(const std::string& server) const {
  return ingest::make_parser(ingest::format::source, {origin_, server});
}

awaitable<result<post_summary>> http_log::apply(log_post post) {
  auto lease = states_.take(post.server);
  if (!lease)
    throw failure(errc::unavailable,
                  "another request of this server is under way, or too many servers are");
  if (!post.range) co_return co_await apply_without_offsets(**lease, post);
  auto out = co_await apply_at(**lease, post);
  if (out) {
    lines_.add(out->lines);
    unknown_lines_.add(out->unknown_lines);
    repeated_bytes_.add(out->repeated_bytes);
    missed_bytes_.add(out->missed_bytes);
  }
  co_return out;
}

awaitable<log_record> http_log::load(const std::string& server) {
  const auto key = log_key(keys_, server);
  const auto reply = co_await redis_.command("HMGET", key, "token", "stream", "head", "at", "line",
                                             "at_before", "line_before");
  log_record out;
  if (reply.is_error()) co_return out;  // something else stands there: nothing is known
  const auto found = reply.as_strings();
  if (found.size() != 7 || !is_valid_id(found[1])) co_return out;
  const auto offset = [](const std::string& text) {
    return static_cast<std::uint64_t>(parse_natural(text).value_or(0));
  };
  out.token = found[0];
  out.stream = found[1];
  out.head = found[2];
  out.unfinished[0] = {offset(found[3]), found[4]};
  out.unfinished[1] = {offset(found[5]), found[6]};
  co_return out;
}

awaitable<void> http_log::save(const log_record& r, const std::string& server) {
  const auto key = log_key(keys_, server);
  const auto at = std::to_string(r.unfinished[0].offset);
  const auto at_before = std::to_string(r.unfinished[1].offset);
  // As a whole: what else stands under the key is replaced.
  redis::request commands;
  commands.push("MULTI");
  commands.push("DEL", key);
  commands.push("HSET", key, "token", r.token, "stream", r.stream, "head", r.head, "at", at, "line",
                r.unfinished[0].text, "at_before", at_before, "line_before", r.unfinished[1].text);
  commands.push("EXPIRE", key, log_ttl.count());
  commands.push("EXEC");
  const auto replies = co_await redis_.exec(std::move(commands));
  for (const auto& reply : replies) redis::checked(reply);
}

awaitable<result<post_summary>> http_log::apply_without_offsets(log_state& state,
                                                                const log_post& post) {
  unnumbered_.add();
  if (!state.parser || !state.stream.empty()) state.parser = new_parser(post.server);
  state.stream.clear();
  const auto before = state.parser->counted();
  auto parser = state.parser->clone();
  auto text = post.body;
  post_summary out;
  while (!text.empty()) {
    log_block block;
    while (!text.empty() && block.events.size() < frame_events) {
      const auto line = first_line_of(text);
      text.remove_prefix(line.size());
      feed(*parser, line, block);
      if (!line.ends_with('\n')) feed(*parser, "\n", block);
    }
    const auto done = co_await writer_.write(block, std::nullopt);
    if (!done) co_return done.error();
    out.events += done->events;
    out.rejected += done->rejected;
  }
  out.lines = parser->counted().lines - before.lines;
  out.unknown_lines = parser->counted().unknown_lines - before.unknown_lines;
  state.parser = std::move(parser);
  lines_.add(out.lines);
  unknown_lines_.add(out.unknown_lines);
  applied_bytes_.add(post.body.size());
  co_return out;
}

// Joins the body to the line that was begun before.
void http_log::place_body(reading& r, const log_post& post) {
  const auto [begin, end] = *post.range;
  r.is_divisible = end - begin == post.body.size();
  r.text = post.body;
  r.offset = begin;
  r.end = end;
  const auto begun = r.record.unfinished_at(r.committed);
  if (!r.is_divisible || begun.empty() || r.committed + begun.size() != begin) return;
  r.joined = std::string(begun).append(post.body);
  r.text = r.joined;
  r.offset = r.committed;
}

// Passes over what is committed, which the parser must have read.
void http_log::skip_known(reading& r, const log_state& state) const {
  auto known = std::string_view{};
  if (r.end <= r.committed)
    known = r.text;
  else if (r.offset < r.committed)
    known = r.text.substr(0, r.committed - r.offset);
  else if (r.committed > 0)
    r.out.missed_bytes = r.offset - r.committed;
  r.out.repeated_bytes = known.size();
  r.from = r.offset + known.size();
  const bool is_usable = state.parser && state.stream == r.record.stream &&
                         state.parsed_to <= std::max(r.committed, r.from);
  r.parser = is_usable ? state.parser->clone() : new_parser(r.server);
  r.parsed_to = is_usable ? state.parsed_to : 0;
  if (r.parsed_to < r.from) {
    const auto read = r.parsed_to > r.offset ? r.parsed_to - r.offset : 0;
    catch_up(*r.parser, known.substr(std::min<std::uint64_t>(read, known.size())));
    r.parsed_to = r.from;
  }
  r.text.remove_prefix(known.size());
  r.offset = r.from;
}

// The line that does not end here waits, unless it is too long for a line.
void http_log::keep_unfinished(reading& r) {
  if (!r.is_divisible) return;
  const auto last = r.text.rfind('\n');
  const auto whole = last == std::string_view::npos ? 0 : last + 1;
  const auto rest = r.text.substr(whole);
  if (rest.empty() || rest.size() > ingest::line_limit_bytes) return;
  r.text = r.text.substr(0, whole);
  r.end = r.offset + whole;
  r.record.keep_unfinished(r.end, rest);
  r.is_saved = false;
}

awaitable<result<post_summary>> http_log::apply_at(log_state& state, const log_post& post) {
  reading r(post.server);
  r.record = co_await load(post.server);
  r.is_saved = !choose_stream(r.record, post);
  const auto claim = co_await writer_.engine().claim(r.record.stream, owner_of(post.server));
  if (!claim) co_return claim.error();
  r.claim = claim->claim;
  r.committed = claim->committed;
  place_body(r, post);
  if (!r.is_divisible && !std::exchange(state.has_warned, true)) warn_of_offsets(post);
  skip_known(r, state);
  keep_unfinished(r);
  const auto now = std::chrono::steady_clock::now();
  if (!r.is_saved || now - state.saved_at > save_interval) {
    co_await save(r.record, post.server);
    state.saved_at = now;
  }
  const auto before = r.parser->counted();
  const auto done = co_await apply_lines(r);
  if (!done) co_return done.error();
  r.out.lines = r.parser->counted().lines - before.lines;
  r.out.unknown_lines = r.parser->counted().unknown_lines - before.unknown_lines;
  r.out.committed = r.committed;
  state.stream = r.record.stream;
  state.parser = std::move(r.parser);
  state.parsed_to = std::max(r.parsed_to, r.is_divisible ? r.offset : r.end);
  co_return std::move(r.out);
}

// Frames end with a line, so that whatever is committed of a body is whole lines of it.
awaitable<result<void>> http_log::apply_lines(reading& r) {
  log_block block;
  while (!r.text.empty()) {
    const auto line = r.is_divisible ? first_line_of(r.text) : r.text;
    feed(*r.parser, line, block);
    if (!r.is_divisible && !line.ends_with('\n')) feed(*r.parser, "\n", block);
    r.text.remove_prefix(line.size());
    r.offset += line.size();
    if (!r.is_divisible && block.events.size() > whole_frame_events)
      co_return error{errc::too_large,
                      "the body gives too many events, and its offsets do not say where it may be "
                      "divided"};
    if (r.is_divisible && block.events.size() >= frame_events && !r.text.empty()) {
      const auto done = co_await commit(r, block, r.offset);
      if (!done) co_return done.error();
    }
  }
  co_return co_await commit(r, block, r.end);
}

awaitable<result<void>> http_log::commit(reading& r, log_block& block, std::uint64_t up_to) {
  if (up_to <= r.committed) co_return result<void>();
  interactions::stream_position place{r.record.stream, up_to, r.claim, owner_of(r.server)};
  place.after = r.committed;
  const auto done = co_await writer_.write(std::exchange(block, {}), std::move(place));
  // Another request of this server is further: what is left comes again.
  if (!done) throw failure(errc::unavailable, done.error().message);
  applied_bytes_.add(up_to - std::max(r.committed, r.from));
  r.committed = up_to;
  r.out.events += done->events;
  r.out.rejected += done->rejected;
  co_return result<void>();
}

}  // namespace skirmish::game_servers
