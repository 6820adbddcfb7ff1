#include "status/status.hpp"

#include "core/json_text.hpp"
#include "core/log.hpp"
#include "http/gzip.hpp"
#include "http/problem.hpp"
#include "status/history.hpp"

#include <boost/json/object.hpp>
#include <fmt/format.h>

namespace skirmish::status {
namespace {

using namespace std::chrono_literals;
namespace json = boost::json;
using steady = std::chrono::steady_clock;

// How long a reader waits for a view when there is none that is good: on a cold start, and when
// Redis has just gone. After that it gets the best that is known.
constexpr auto patience = 1'500ms;
// A refresh on demand may wait for the database's own limit and for the probe.
constexpr auto refresh_patience = 20s;
// Without Redis a view is used for this long after its time while a new one is on its way.
constexpr auto grace = 10s;
constexpr auto history_life = 5s;
constexpr std::size_t history_ranges_max = 64;
constexpr std::int64_t history_points_max = 100'000;
// While everything is down, proxies and browsers may keep what they have for a day.
constexpr auto stale_if_error = 86'400s;

// The numbers of `skirmish_status_ready`: null without a view.
json::value or_null(bool is_known, std::int64_t value) {
  return is_known ? json::value(value) : json::value(nullptr);
}

}  // namespace

std::string render(const view& seen, std::int64_t age_s) {
  const auto problem = json_text_of(json::value(seen.problem));
  switch (seen.from) {
    case origin::cache:
      return to_json(seen.doc,
                     fmt::format(R"(,"_cache":{{"cached":true,"age_seconds":{}}})", age_s));
    case origin::database:
      return to_json(
          seen.doc,
          fmt::format(R"(,"_cache":{{"cached":false,"source":"database","age_seconds":{}}})",
                      age_s));
    case origin::last_known:
      return to_json(
          seen.doc,
          fmt::format(
              R"(,"stale":true,"_cache":{{"cached":false,"stale":true,"source":"last_known","age_seconds":{},"error":{}}})",
              age_s, problem));
    case origin::defaults: break;
  }
  return to_json(
      seen.doc,
      fmt::format(R"(,"_cache":{{"cached":false,"source":"defaults","error":{}}})", problem));
}

namespace {

std::int64_t whole_seconds(std::chrono::milliseconds age) {
  return std::max<std::int64_t>(std::chrono::duration_cast<std::chrono::seconds>(age).count(), 0);
}

// What is wrong with a document that is known; empty when nothing is.
std::string stale_message(const view& seen, const view_board& board, timestamp now) {
  const auto age = now - seen.doc.updated_at;
  if (seen.from == origin::last_known) return "neither the cache nor the database answers";
  if (age >= board.stale_limit())
    return fmt::format("the status is {} s old: no refresh has succeeded", whole_seconds(age));
  const bool is_known = seen.doc.scheduled_at != timestamp{};
  const auto since = now - (is_known ? seen.doc.scheduled_at : board.started_at);
  if (since < board.stale_limit()) return {};
  return fmt::format(
      "no status worker has refreshed the status for {} s{}; what is served was read for a reader",
      whole_seconds(since), is_known ? "" : ", since this process started");
}

}  // namespace

http::response health(const view_board& board, const clock& time) {
  const auto seen = board.get();
  const bool is_known =
      seen && seen->from != origin::defaults && seen->doc.updated_at != timestamp{};
  if (!is_known)
    return http::json_response(
        json::object{
            {"status", "error"}, {"age_seconds", nullptr}, {"message", "no status is known"}},
        503);
  const auto now = time.now();
  const auto scheduled = seen->doc.scheduled_at;
  const auto message = stale_message(*seen, board, now);
  json::object body{{"status", message.empty() ? "ok" : "stale"},
                    {"age_seconds", whole_seconds(now - seen->doc.updated_at)},
                    {"last_scheduled_refresh", nullptr}};
  if (scheduled != timestamp{}) body["last_scheduled_refresh"] = to_rfc3339(scheduled);
  if (!message.empty())
    body["message"] = message;
  else if (scheduled == timestamp{})
    body["message"] = "no status worker has refreshed the status yet";
  return http::json_response(body);
}

service::service(worker& source, const config& settings, const clock& time,
                 metrics::registry& metrics)
    : worker_(source),
      clock_(time),
      max_age_(std::chrono::duration_cast<std::chrono::seconds>(settings.status.max_age)),
      sites_(settings.status.cors_origins),
      first_name_(first_server_name(settings)),
      others_(other_servers(settings)),
      waits_(
          metrics.add_counter("skirmish_status_waits_total", "Readers that waited for a view.")) {}

std::int64_t service::age_of(const view& seen) const {
  const auto age =
      std::chrono::duration_cast<std::chrono::seconds>(clock_.now() - seen.doc.updated_at);
  return std::max<std::int64_t>(age.count(), 0);
}

http::response service::preflight(const http::exchange& x) const {
  auto r = http::no_content();
  sites_.add_to(r, x.req.header("origin"));
  r.with("Access-Control-Allow-Methods", "GET, HEAD");
  r.with("Access-Control-Allow-Headers", "If-None-Match");
  r.with("Access-Control-Max-Age", "86400");
  r.with("Vary", "Origin");
  return r;
}

std::string service::cache_control(origin from) const {
  if (from == origin::defaults) return "no-cache";
  return fmt::format("public, max-age={}, stale-while-revalidate={}, stale-if-error={}",
                     from == origin::cache ? max_age_.count() : 1, 6 * max_age_.count(),
                     std::chrono::seconds(stale_if_error).count());
}

void service::prepare(std::int64_t age_s) {
  if (ready_.of != view_) ready_.etag = etag_of(view_->doc, view_->from == origin::last_known);
  ready_.of = view_;
  ready_.age_s = age_s;
  auto body = std::make_shared<const std::string>(render(*view_, age_s));
  ready_.plain = http::response{};
  ready_.plain.shared_body = body;
  ready_.plain.with("ETag", ready_.etag).with("Cache-Control", cache_control(view_->from));
  ready_.plain.with("Vary", "Origin, Accept-Encoding");
  ready_.gzip = ready_.plain;
  ready_.gzip.shared_body = std::make_shared<const std::string>(http::gzip(*body));
  ready_.gzip.with("Content-Encoding", "gzip");
  const auto freeze = [this](http::response r) {
    if (sites_.are_all()) sites_.add_to(r, "*");
    return http::freeze(r);
  };
  ready_.frozen_plain = freeze(ready_.plain);
  ready_.frozen_gzip = freeze(ready_.gzip);
}

// Null when there is no view at all. Whether the view is good is make_sure()'s business.
const service::ready* service::current(steady::time_point now) {
  const auto& board = worker_.board();
  if (const auto version = board.version(); version != version_) {
    version_ = version;
    view_ = board.get();
    aged_at_ = {};
  }
  if (!view_) return nullptr;
  // The age is told in whole seconds; looking ten times per second at it is enough.
  if (now >= aged_at_ + 100ms) {
    aged_at_ = now;
    const auto age = age_of(*view_);
    if (ready_.of != view_ || ready_.age_s != age) prepare(age);
  }
  return &ready_;
}

const http::frozen_response* service::fast(const http::fast_request& asked) {
  if (asked.is_conditional || (asked.has_origin && !sites_.are_all())) return nullptr;
  const auto now = steady::now();
  if (now >= worker_.board().good_until()) return nullptr;
  const auto* made = current(now);
  if (!made || made->of->from == origin::defaults) return nullptr;
  if (asked.accept_encoding.empty()) return &made->frozen_plain;
  return http::accepts_gzip(asked.accept_encoding) ? &made->frozen_gzip : &made->frozen_plain;
}

// Returns with a view on the board that is good, or that is the best to be had in time.
awaitable<void> service::make_sure() {
  auto& board = worker_.board();
  const auto now = steady::now();
  if (now < board.good_until()) co_return;
  const auto seen = board.get();
  auto resolve = [](keeper& k) { return k.resolve(); };
  // Between looks at a backend that is down, nobody waits for it.
  if (seen && seen->from != origin::cache && now < board.good_until() + grace) {
    worker_.tell(resolve);
    co_return;
  }
  waits_.add();
  co_await worker_.ask(resolve, patience);
}

awaitable<http::response> service::status(http::exchange& x) {
  co_await make_sure();
  const auto* made = current(steady::now());
  static const view nothing{{}, origin::defaults, "nothing is known yet"};
  if (!made) {
    http::response r;
    r.body = render(nothing, 0);
    r.with("Cache-Control", "no-cache");
    sites_.add_to(r, x.req.header("origin"));
    if (x.query("strict") == "1") r.status = 503;
    co_return r;
  }
  const auto& match = x.req.header("if-none-match");
  http::response r;
  if (made->of->from != origin::defaults && http::matches_etag(match, made->etag)) {
    r.status = 304;
    r.content_type.clear();
    r.headers = made->plain.headers;
  } else {
    r = http::accepts_gzip(x.req.header("accept-encoding")) ? made->gzip : made->plain;
  }
  sites_.add_to(r, x.req.header("origin"));
  if (made->of->from == origin::defaults && x.query("strict") == "1") {
    r.status = 503;
    r.with("Retry-After", "1");
  }
  co_return r;
}

awaitable<http::response> service::debug() {
  co_await make_sure();
  const auto& board = worker_.board();
  const auto seen = board.get();
  const bool is_known = seen && seen->from != origin::defaults;
  const bool is_cached = seen && seen->from == origin::cache;
  const auto age = is_known ? age_of(*seen) : 0;
  json::object body{{"cached", is_cached},
                    {"updated_at", is_known ? json::value(to_rfc3339(seen->doc.updated_at))
                                            : json::value(nullptr)},
                    {"age_seconds", or_null(is_known, age)},
                    {"ttl", or_null(is_cached, board.ttl_ms / 1000)},
                    {"is_fresh", is_cached && std::chrono::seconds{age} < board.fresh_limit()},
                    {"interval_seconds", board.interval_ms / 1000},
                    {"is_interval_set", board.is_interval_set.load()},
                    {"redis", board.is_redis_up ? "up" : "down"},
                    {"leader", board.is_leader.load()}};
  auto r = http::json_response(body);
  r.with("Cache-Control", "no-store");
  co_return r;
}

awaitable<http::response> service::health() {
  co_await make_sure();
  auto r = status::health(worker_.board(), clock_);
  r.with("Cache-Control", "no-store");
  co_return r;
}

awaitable<http::response> service::refresh() {
  const auto outcome = std::make_shared<refresh_outcome>();
  auto work = [outcome](keeper& k) -> awaitable<void> { *outcome = co_await k.refresh(); };
  if (!co_await worker_.ask(work, refresh_patience))
    throw failure(errc::deadline_exceeded, "the refresh goes on, but has not ended in time");
  if (!outcome->is_refreshed) throw failure(errc::unavailable, outcome->problem);
  const auto seen = worker_.board().get();
  co_return http::json_response(
      json::object{{"refreshed", true}, {"updated_at", to_rfc3339(seen->doc.updated_at)}});
}

// PUT has a body, DELETE has none.
awaitable<http::response> service::set_interval(http::exchange& x) {
  const auto seconds = x.req.method == http::verb::put ? x.integer("interval_seconds")
                                                       : std::optional<std::int64_t>();
  const auto problem = std::make_shared<std::string>();
  auto work = [seconds, problem](keeper& k) -> awaitable<void> {
    try {
      co_await k.set_interval(seconds);
    } catch (const failure& e) {
      *problem = e.what();
    }
  };
  const bool is_done = co_await worker_.ask(work, refresh_patience);
  if (!is_done) throw failure(errc::deadline_exceeded, "Redis does not answer");
  if (!problem->empty()) throw failure(errc::unavailable, *problem);
  if (!seconds) co_return http::no_content();
  co_return http::json_response(json::object{{"interval_seconds", *seconds}});
}

// The points of the last hours; from memory for some seconds, and for longer when Redis is down.
// Null when nothing was ever read.
awaitable<const service::points*> service::history_of(std::string server, std::int64_t hours) {
  if (points_.size() > history_ranges_max) points_.clear();
  const std::pair place{server, hours};
  if (steady::now() >= points_[place].read_at + history_life) {
    const auto found = std::make_shared<std::optional<std::vector<history_point>>>();
    const auto since = clock_.now() - std::chrono::hours{hours};
    auto work = [found, since, server](keeper& k) -> awaitable<void> {
      *found = co_await k.history(server, since, history_points_max);
    };
    const bool is_done = co_await worker_.ask(work, patience);
    auto& kept = points_[place];
    kept.read_at = steady::now();
    if (is_done && *found) {
      kept.list = std::move(**found);
      kept.is_known = true;
    }
  }
  const auto& kept = points_[place];
  co_return kept.is_known ? &kept : nullptr;
}

awaitable<http::response> service::history(http::exchange& x) {
  return history_answer(x, std::string());
}

awaitable<http::response> service::history_answer(http::exchange& x, std::string server) {
  const auto hours = x.query_integer("hours");
  const auto* kept = co_await history_of(server, hours);
  if (!kept) throw failure(errc::unavailable, "the history cannot be read");
  http::response r;
  r.body = history_json(kept->list, hours, clock_.now());
  r.with("Cache-Control",
         fmt::format("public, max-age={}", std::chrono::seconds(history_life).count()));
  r.with("Vary", "Origin, Accept-Encoding");
  sites_.add_to(r, x.req.header("origin"));
  if (http::accepts_gzip(x.req.header("accept-encoding"))) {
    r.body = http::gzip(r.body);
    r.with("Content-Encoding", "gzip");
  }
  co_return r;
}

bool service::is_other(std::string_view name) const {
  return std::any_of(others_.begin(), others_.end(),
                     [&](const auto& server) { return server.name == name; });
}

awaitable<http::response> service::server(http::exchange& x) {
  const auto name = x.path("name");
  if (is_first(name)) co_return co_await status(x);
  if (!is_other(name))
    co_return http::problem({errc::not_found, "no game server has this name"}, x.request_id);
  const auto documents = worker_.board().servers();
  http::response r;
  const auto found =
      documents ? documents->find(name) : view_board::named_documents::const_iterator();
  if (documents && found != documents->end())
    r.body = found->second;
  else
    r.body = json_text_of(json::object{{"server", name}, {"online", nullptr}});
  r.with("Cache-Control", fmt::format("public, max-age={}", max_age_.count()));
  r.with("Vary", "Origin");
  sites_.add_to(r, x.req.header("origin"));
  co_return r;
}

awaitable<http::response> service::server_history(http::exchange& x) {
  const auto name = x.path("name");
  if (!is_first(name) && !is_other(name))
    co_return http::problem({errc::not_found, "no game server has this name"}, x.request_id);
  std::string of_whom;
  if (!is_first(name)) of_whom = name;
  co_return co_await history_answer(x, of_whom);
}

awaitable<http::response> service::badge(http::exchange& x) {
  co_await make_sure();
  const std::string first;
  const auto* kept = co_await history_of(first, x.query_integer("hours"));
  const auto seen = worker_.board().get();
  std::optional<bool> is_online;
  if (seen && seen->from != origin::defaults)
    is_online = seen->doc.game ? seen->doc.game->is_online : seen->doc.server_status > 0;
  auto r = http::text_response(
      badge_svg(is_online, kept ? uptime_percent(kept->list, clock_.now()) : std::nullopt),
      "image/svg+xml; charset=utf-8");
  r.with("Cache-Control", "public, max-age=60, stale-if-error=86400");
  sites_.add_to(r, x.req.header("origin"));
  co_return r;
}

}  // namespace skirmish::status
