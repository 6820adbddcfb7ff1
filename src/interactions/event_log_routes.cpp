#include "interactions/event_log_routes.hpp"

#include "http/problem.hpp"

#include <boost/json/serialize.hpp>

namespace skirmish::interactions {
namespace {

using namespace http;

std::string cursor_json(const std::optional<log_cursor>& c) {
  return c ? '"' + to_text(*c) + '"' : "null";
}

awaitable<response> read_log(event_log& log, exchange& x) {
  const auto since = parse_log_cursor(x.query("since"));
  if (!since && x.has_query("since"))
    co_return problem({errc::invalid_argument, "since must be a cursor that this list returned"},
                      x.request_id);
  const auto page = co_await log.read(since, static_cast<std::size_t>(x.query_integer("limit")));
  // The events are JSON already.
  std::string body = R"({"items":[)";
  for (const auto& e : page.events) {
    if (body.back() == '}') body += ',';
    body += e;
  }
  body += R"(],"cursor":)" + cursor_json(page.last);
  body += R"(,"next_cursor":)" + (page.more ? cursor_json(page.last) : "null");
  body += R"(,"trimmed":)" + std::string(page.trimmed ? "true" : "false") + "}";
  co_return text_response(std::move(body), "application/json");
}

}  // namespace

void add_routes(router& routes, event_log& log) {
  const auto handle = [&log](exchange& x) { return read_log(log, x); };
  routes.add({verb::get,
              "/api/interactions",
              access::server,
              "What was committed, in order",
              handle,
              {},
              {{"since", "a cursor; without it from the oldest event that is kept", "", {}},
               limit_parameter()},
              "{items: [events], cursor, next_cursor, trimmed}. `cursor` is behind the last item: "
              "ask again with it for what comes later. `next_cursor` is the same while there is "
              "more now. `trimmed`: the log no longer reaches back to `since`."});
}

}  // namespace skirmish::interactions
