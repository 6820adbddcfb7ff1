// The table of routes: what is served, to whom, with which parameters and body. It dispatches
// requests, refuses bad ones before a handler sees them, and is the source of the OpenAPI document.
#pragma once

#include "core/asio.hpp"
#include "http/bans.hpp"
#include "http/exchange.hpp"
#include "http/fast_path.hpp"
#include "http/gate.hpp"
#include "http/shape.hpp"
#include "metrics/registry.hpp"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace skirmish::http {

class websocket;

// The least role a route asks for. `player` routes check in the handler whose data it is.
enum class access { anyone, player, server, admin };

struct query_parameter {
  std::string name;
  std::string description;
  std::optional<std::string> fallback;  // the value when absent
  // For whole numbers the allowed range; text otherwise.
  std::optional<std::pair<std::int64_t, std::int64_t>> range;
  // For text: its form (JSON Schema), which the handler checks; any text when null. An `enum` in it
  // is checked before the handler sees it.
  json::value form = {};
  bool needed = false;
};

// `?limit=` and `?cursor=` as every list takes them.
query_parameter limit_parameter(std::int64_t fallback = 50);
query_parameter cursor_parameter();

using handler = std::function<awaitable<response>(exchange&)>;

// An answer that a route gives, for the OpenAPI document.
struct outcome {
  int status = 200;
  std::string content_type;  // empty: no body
  json::value schema;        // of a JSON body; null for others
};

struct route {
  verb method;
  std::string pattern;  // "/api/players/{id}"; a parameter is one segment and a valid id
  access who;
  std::string summary;
  handler handle;
  std::optional<shape> body = {};
  std::vector<query_parameter> query = {};
  std::string answer = {};  // what a success means, for the document
  // The answers, beside the refusals that every route may give (see openapi.cpp).
  std::vector<outcome> outcomes = {};
  std::vector<int> refusals = {};  // statuses of further problem documents
  std::vector<query_parameter> headers = {};
  // Not 0: the body is JSON or bytes (is_json_body() tells which) of at most so many bytes; the
  // handler reads it as it was sent. Instead of `body`.
  std::size_t raw_body_limit_bytes = 0;
  // Of such a route: the body is plain text, whatever its Content-Type says.
  bool takes_text = false;
  scope group = scope::none;  // set by router::add
  // What a request uses up of a caller's rate limits; 0: it is never limited.
  std::int64_t cost = 1;

  // To describe a route where it is added: routes.add({…}).gives(200, profile).refuses({404}).
  route& gives(int status, json::value schema, std::string content_type = "application/json");
  route& gives_text(std::string content_type);
  route& gives_nothing();  // 204
  route& refuses(std::initializer_list<int> statuses);
  route& takes_header(std::string name, std::string description, json::value form);
  route& takes_raw_body(std::size_t limit_bytes);
  route& takes_text_body(std::size_t limit_bytes);
  route& costs(std::int64_t tokens);
};

// Of a route that takes a raw body: true for application/json (and without Content-Type), false for
// application/octet-stream. Others do not reach the handler.
bool is_json_body(const request& r) noexcept;

// Decides who asks: the principal of the request's credentials, anonymous without any, an error for
// bad ones.
using authenticator = std::function<awaitable<result<principal>>(const request&)>;

// Whether a caller that the authenticator has let in is still let in: its key may have been revoked
// since, or its session ended. From memory as a rule; throws failure when it cannot be told.
using caller_check = std::function<awaitable<bool>(principal)>;

// Serves an accepted WebSocket until it closes. The exchange carries the principal and the query.
using websocket_handler = std::function<awaitable<void>(exchange&, websocket&)>;

// What the head of a request decides, before its body is read: the route, or the answer that
// refuses it.
struct admission {
  const route* to = nullptr;  // null: refused
  response refusal = {};
};

// The answer to a request that ended with the exception being handled; call it in a catch block.
// Says in the log what clients are not told.
response answer_to_exception(const exchange& x);

// Notes the changes that operators make, each before it is made. Both may be called on any thread.
class change_recorder {
 public:
  virtual ~change_recorder() = default;
  // Returns what names the note, of a change by `x.who`. Throws failure when it cannot be kept:
  // then the change is refused. `pattern` is a route's.
  virtual awaitable<std::string> begin(const exchange& x, verb method, std::string pattern) = 0;
  // How it ended. Never throws.
  virtual awaitable<void> end(std::string note, int status) = 0;
};

// The answer to a request that a limit refuses.
response answer_to_refused(const exchange& x, const passage& refused);

// Refuses a request that is_cross_site and carries a credential.
std::optional<response> refuse_cross_site(const exchange& x);

class router {
 public:
  router(authenticator authenticate, metrics::registry& metrics);

  // The route that was added stays there until the next call.
  route& add(route r);
  void add_websocket(std::string path, websocket_handler handle);

  // Asked before a handler runs, of callers who took their time with the body.
  void check_again_by(caller_check still_admitted) { still_admitted_ = std::move(still_admitted); }

  // Asked of each caller. Whoever serves connections asks it of their addresses.
  void refuse_banned(const ban_list& bans) noexcept { bans_ = &bans; }
  [[nodiscard]] const ban_list* bans() const noexcept { return bans_; }

  // Asked for each request of role admin that changes something.
  void record_changes(change_recorder& recorder) noexcept { recorder_ = &recorder; }

  // Answers of `path` that lie ready; the ordinary route of that path is asked when it has none.
  void add_fast(std::string path, fast_handler handle);
  [[nodiscard]] bool has_fast() const noexcept { return !fast_.empty(); }
  [[nodiscard]] const frozen_response* fast_answer(const fast_request& asked,
                                                   std::string_view counted_address) const;

  // Asks `limits` before anything is served. Call it when all routes are there.
  void limit_by(gate& limits);
  // Counts the opening of a WebSocket; the answer that refuses it when there were too many.
  awaitable<std::optional<response>> limit_websocket(exchange& x, principal who) const;
  // The same of a request that no route is found for, or whose head is none.
  awaitable<std::optional<response>> limit_stray(exchange& x) const;

  // The two steps of answering a request; neither throws (the one catch per request is here).
  // admit() finds the route, and checks path, query, content type and who asks: all that needs no
  // body. answer() checks the body and runs the handler.
  awaitable<admission> admit(exchange& x) const;
  awaitable<response> answer(exchange& x, const route& to) const;

  // Both, for a request that is whole.
  awaitable<response> dispatch(exchange& x) const;

  // The handler for a WebSocket path, or nothing.
  [[nodiscard]] const websocket_handler* websocket_at(std::string_view path) const;
  [[nodiscard]] const authenticator& authenticate() const noexcept { return authenticate_; }

  [[nodiscard]] const std::vector<route>& routes() const noexcept { return routes_; }

 private:
  struct match {
    const route* found = nullptr;
    std::string allowed;  // methods of the path when none fits
  };
  match find(exchange& x) const;
  awaitable<std::optional<response>> refuse_path_or_caller(exchange& x, const route& r) const;
  // Why the request may not go to this route.
  awaitable<std::optional<response>> check_head_of(exchange& x, const route& r) const;
  // The same of a request that is whole.
  awaitable<std::optional<response>> check_rest_of(exchange& x, const route& to) const;
  awaitable<response> handle(exchange& x, const route& to) const;
  awaitable<std::optional<response>> check_caller(exchange& x, const route& r) const;
  [[nodiscard]] std::optional<response> refuse_banned_caller(const exchange& x) const;

  // Of limits (router_limits.cpp). The answer to who asks too often; none when it may go on.
  [[nodiscard]] gate::target target_of(const route& r) const;
  [[nodiscard]] bool is_limited(gate::target to, role as) const noexcept {
    return gate_ && to != gate::unlimited && gate_->concerns(to, as);
  }
  awaitable<std::optional<response>> limit_head(exchange& x, const route& r) const;
  awaitable<std::optional<response>> limit_body(exchange& x, const route& r) const;
  awaitable<std::optional<response>> limit_refused(exchange& x, const route& r) const;
  awaitable<std::optional<response>> limit_unknown(exchange& x, gate::target to,
                                                   std::int64_t cost) const;
  awaitable<passage> pass_as_owner(exchange& x, gate::target to, std::int64_t cost,
                                   passage refused) const;
  void finish(exchange& x, response& r) const;
  void observe(const exchange& x, const response& r) const;

  authenticator authenticate_;
  caller_check still_admitted_;
  change_recorder* recorder_ = nullptr;
  std::vector<route> routes_;
  std::vector<std::vector<std::string>> segments_;  // of each route's pattern
  std::map<std::string, std::vector<std::size_t>, std::less<>>
      fixed_;  // patterns without parameters
  std::map<std::string, websocket_handler, std::less<>> websockets_;
  std::map<std::string, std::pair<fast_handler, gate::target>, std::less<>> fast_;
  gate* gate_ = nullptr;
  std::vector<gate::target> targets_;  // of each route
  std::map<std::string, gate::target, std::less<>> websocket_targets_;
  gate::target stray_ = gate::unlimited;  // of requests without a route
  metrics::histogram& duration_;
  std::array<metrics::counter*, 6> by_status_class_{};
  const ban_list* bans_ = nullptr;
};

// Splits "a=1&b=%20" into decoded pairs; an error for a broken escape or invalid UTF-8.
result<fields> parse_query(std::string_view query);

}  // namespace skirmish::http
