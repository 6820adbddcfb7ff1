#include "game_servers/game_servers_routes.hpp"

#include "core/parse.hpp"
#include "core/text.hpp"
#include "game_servers/game_servers.hpp"
#include "http/json_schema.hpp"
#include "http/problem.hpp"

#include <boost/json/object.hpp>
#include <fmt/format.h>

namespace skirmish::game_servers {
namespace {

namespace json = boost::json;
using namespace http;

constexpr std::string_view begin_header = "x-logbytes-beginoffset";
constexpr std::string_view end_header = "x-logbytes-endoffset";
constexpr std::string_view token_header = "x-server-instance-token";
// The whole numbers that JSON readers keep exactly.
constexpr std::int64_t offset_max = std::int64_t{1} << 53;
constexpr std::size_t token_max_chars = 64;

error bad(std::string message) { return {errc::invalid_argument, std::move(message)}; }

// Nothing when the request has neither offset.
result<std::optional<log_range>> range_of(const request& r) {
  const auto begin_text = r.header(begin_header);
  const auto end_text = r.header(end_header);
  if (begin_text.empty() && end_text.empty()) return std::optional<log_range>();
  const auto begin = parse_natural(begin_text);
  const auto end = parse_natural(end_text);
  if (!begin || !end || *begin > *end || *end > offset_max)
    return bad(
        "X-Logbytes-BeginOffset and X-Logbytes-EndOffset must be whole numbers up to 2^53, the "
        "second not below the first");
  return std::optional(
      log_range{static_cast<std::uint64_t>(*begin), static_cast<std::uint64_t>(*end)});
}

result<log_post> post_of(const exchange& x) {
  log_post out;
  out.server = x.query("server");
  if (!ingest::is_server_name(out.server))
    return bad("server must be a name of 1 to 32 of A-Z a-z 0-9 _ . -");
  out.token = x.req.header(token_header);
  if (const auto fault = text_fault(out.token, lines::one, 0, token_max_chars))
    return bad("X-Server-Instance-Token " + *fault);
  auto range = range_of(x.req);
  if (!range) return range.error();
  out.range = *range;
  if (out.range && out.range->begin == out.range->end && !x.req.body.empty())
    return bad("the offsets say that there is no body");
  out.body = x.req.body;
  return out;
}

awaitable<response> take(http_log& logs, exchange& x) {
  auto post = post_of(x);
  if (!post) co_return problem(post.error(), x.request_id);
  const auto done = co_await logs.apply(std::move(*post));
  if (!done) co_return problem(done.error(), x.request_id);
  co_return json_response(
      json::object{{"lines", done->lines},
                   {"unknown_lines", done->unknown_lines},
                   {"accepted", done->events},
                   {"rejected", done->rejected},
                   {"repeated_bytes", done->repeated_bytes},
                   {"missed_bytes", done->missed_bytes},
                   {"committed", done->committed ? json::value(*done->committed) : json::value()}});
}

json::value summary_schema() {
  return schema::object({{"lines", schema::count()},
                         {"unknown_lines", schema::count()},
                         {"accepted", schema::count()},
                         {"rejected", schema::count()},
                         {"repeated_bytes", schema::count()},
                         {"missed_bytes", schema::count()},
                         {"committed", schema::nullable(schema::count())}});
}

}  // namespace

void add_routes(router& routes, http_log& logs, std::size_t body_limit_bytes) {
  auto take_log = [&logs](exchange& x) { return take(logs, x); };
  json::object name{{"type", "string"},
                    {"minLength", 1},
                    {"maxLength", ingest::server_name_max_bytes},
                    {"pattern", "^[A-Za-z0-9_.-]+$"}};
  query_parameter server{"server", "the game server's name", {}, {}, std::move(name), true};
  query_parameter key{"key", "the API key, for senders that cannot send X-API-Key", {}, {}};
  json::object offset{{"type", "string"}, {"pattern", "^[0-9]{1,16}$"}};
  json::object token{{"type", "string"}, {"maxLength", token_max_chars}};
  routes
      .add({verb::post,
            std::string(log_path),
            access::server,
            "Take the log of a Source-engine game server",
            take_log,
            {},
            {std::move(server), std::move(key)},
            "What was done with the lines: `committed` is the offset up to which the log is "
            "applied, "
            "null without offsets. See docs/game-servers.md."})
      .takes_text_body(body_limit_bytes)
      .takes_header("X-Logbytes-BeginOffset", "where the body begins in the server's log", offset)
      .takes_header("X-Logbytes-EndOffset", "and where it ends", offset)
      .takes_header("X-Server-Instance-Token",
                    "of the server's process; another one is another log", token)
      .gives(200, summary_schema());
}

}  // namespace skirmish::game_servers
