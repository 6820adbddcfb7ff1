#include "http/router.hpp"

#include "core/damaged_data.hpp"
#include "core/ids.hpp"
#include "core/json_text.hpp"
#include "core/log.hpp"
#include "core/parse.hpp"
#include "http/problem.hpp"
#include "http/request_head.hpp"
#include "http/slow_requests.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace skirmish::http {
namespace {

error invalid(std::string message) { return {errc::invalid_argument, std::move(message)}; }

std::vector<std::string> split(std::string_view path) {
  std::vector<std::string> out;
  std::size_t start = 1;
  while (start <= path.size()) {
    const auto slash = std::min(path.find('/', start), path.size());
    out.emplace_back(path.substr(start, slash - start));
    start = slash + 1;
  }
  return out;
}

bool is_parameter(std::string_view segment) { return segment.starts_with('{'); }

// True when the pattern's segments fit; parameters are collected as sent.
bool fits(const std::vector<std::string>& pattern, const std::vector<std::string>& path,
          fields& parameters) {
  if (pattern.size() != path.size()) return false;
  parameters.clear();
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (is_parameter(pattern[i]))
      parameters.emplace_back(pattern[i].substr(1, pattern[i].size() - 2), path[i]);
    else if (pattern[i] != path[i])
      return false;
  }
  return true;
}

result<void> check_path(exchange& x) {
  for (auto& [name, value] : x.path_parameters) {
    auto decoded = percent_decode(value, false);
    if (!decoded || !is_valid_id(*decoded))
      return invalid(fmt::format("{} must be an id: 1 to 64 of A-Z a-z 0-9 _ . : -", name));
    value = std::move(*decoded);
  }
  return {};
}

// The words of a form that allows nothing else; null for other forms.
const json::array* words_of(const json::value& form) {
  const auto* object = form.if_object();
  const auto* words = object ? object->if_contains("enum") : nullptr;
  return words ? words->if_array() : nullptr;
}

result<void> check_query(exchange& x, const route& r) {
  auto parsed = parse_query(x.req.query);
  if (!parsed) return parsed.error();
  x.query_parameters = std::move(*parsed);
  for (const auto& p : r.query) {
    const auto times = std::count_if(x.query_parameters.begin(), x.query_parameters.end(),
                                     [&](const auto& given) { return given.first == p.name; });
    if (times > 1) return invalid(p.name + " is given more than once");
    if (times == 0) {
      if (p.needed) return invalid(p.name + " is required");
      if (p.fallback) x.query_parameters.emplace_back(p.name, *p.fallback);
      continue;
    }
    if (const auto* words = words_of(p.form)) {
      if (std::find(words->begin(), words->end(), json::value(x.query(p.name))) == words->end())
        return invalid(fmt::format("{} must be one of {}", p.name, json_text_of(*words)));
    }
    if (!p.range) continue;
    const auto number = parse_integer(x.query(p.name));
    if (!number || *number < p.range->first || *number > p.range->second)
      return invalid(fmt::format("{} must be a whole number, {} to {}", p.name, p.range->first,
                                 p.range->second));
  }
  return {};
}

// Whether the request says that it has no body, by having no Content-Type, where an empty object
// will do.
bool leaves_body_out(const request& r, const shape& body) {
  if (!r.header("content-type").empty()) return false;
  body_errors missing;
  body.check(json::object(), "", missing);
  return missing.empty();
}

// Parses and checks the body. On failure `errors` may say more than the message.
result<void> check_body(exchange& x, const route& r, body_errors& errors) {
  if (!r.body) return {};
  if (x.req.body.empty() && leaves_body_out(x.req, *r.body)) {
    x.body = json::object();
    return {};
  }
  json::parse_options options;
  options.max_depth = 16;
  error_code ec;
  x.body = json::parse(x.req.body, ec, {}, options);
  if (ec) {
    errors.add("", ec.message());
    return invalid("the body is not valid JSON");
  }
  r.body->check(x.body, "", errors);
  if (!errors.empty()) return invalid("the body does not have the form this route takes");
  return {};
}

bool reads_only(verb method) noexcept { return method == verb::get || method == verb::head; }

result<void> check_access(const principal& who, const route& r) {
  const auto level = static_cast<int>(who.as);
  if (level >= static_cast<int>(r.who)) {
    if (who.allowed.allow(r.group, reads_only(r.method))) return {};
    return error{errc::forbidden, "this key's scopes do not allow that"};
  }
  if (who.as == role::anonymous)
    return error{errc::unauthenticated,
                 "send an API key in X-API-Key or a session token in Authorization: Bearer"};
  return error{errc::forbidden, "this key's role does not allow that"};
}

bool is_json(std::string_view content_type) {
  const auto type = content_type.substr(0, content_type.find(';'));
  return type.empty() || type.starts_with("application/json");
}

bool is_media_type(std::string_view content_type, std::string_view wanted) {
  auto type = content_type.substr(0, content_type.find(';'));
  while (type.ends_with(' ')) type.remove_suffix(1);
  return equals_ignoring_case(type, wanted);
}

}  // namespace

bool is_json_body(const request& r) noexcept {
  const auto type = r.header("content-type");
  return type.empty() || is_media_type(type, "application/json");
}

query_parameter limit_parameter(std::int64_t fallback) {
  return {"limit", "how many items at most", std::to_string(fallback),
          std::pair<std::int64_t, std::int64_t>{1, 1000}};
}

query_parameter cursor_parameter() {
  return {"cursor", "`next_cursor` of the page before", std::nullopt, std::nullopt};
}

result<fields> parse_query(std::string_view query) {
  fields out;
  while (!query.empty()) {
    const auto end = std::min(query.find('&'), query.size());
    const auto pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (pair.empty()) continue;
    const auto equals = std::min(pair.find('='), pair.size());
    const auto name = percent_decode(pair.substr(0, equals), true);
    const auto value =
        percent_decode(equals < pair.size() ? pair.substr(equals + 1) : std::string_view{}, true);
    if (!name || !value || !is_valid_utf8(*name) || !is_valid_utf8(*value))
      return invalid("the query string has a broken escape or is not UTF-8");
    if (out.size() == 64) return invalid("the query string has too many parameters");
    out.emplace_back(*name, *value);
  }
  return out;
}

router::router(authenticator authenticate, metrics::registry& metrics)
    : authenticate_(std::move(authenticate)),
      duration_(metrics.add_histogram("skirmish_http_request_duration_seconds",
                                      "Time from a whole request to its whole response.")) {
  for (std::size_t i = 1; i < by_status_class_.size(); ++i)
    by_status_class_[i] =
        &metrics.add_counter("skirmish_http_responses_total", "Responses by status class.",
                             fmt::format("status=\"{}xx\"", i));
}

route& route::gives(int status, json::value schema, std::string content_type) {
  outcomes.push_back({status, std::move(content_type), std::move(schema)});
  return *this;
}

route& route::gives_text(std::string content_type) {
  return gives(200, nullptr, std::move(content_type));
}

route& route::gives_nothing() { return gives(204, nullptr, ""); }

route& route::refuses(std::initializer_list<int> statuses) {
  refusals.insert(refusals.end(), statuses);
  return *this;
}

route& route::takes_header(std::string name, std::string description, json::value form) {
  query_parameter header{std::move(name), std::move(description), {}, {}};
  header.form = std::move(form);
  headers.push_back(std::move(header));
  return *this;
}

route& route::takes_raw_body(std::size_t limit_bytes) {
  raw_body_limit_bytes = limit_bytes;
  return *this;
}

route& route::takes_text_body(std::size_t limit_bytes) {
  takes_text = true;
  return takes_raw_body(limit_bytes);
}

route& route::costs(std::int64_t tokens) {
  cost = tokens;
  return *this;
}

route& router::add(route r) {
  if (r.who != access::anyone) r.group = scope_of(r.pattern);
  if (r.pattern.find('{') == std::string::npos) fixed_[r.pattern].push_back(routes_.size());
  segments_.push_back(split(r.pattern));
  routes_.push_back(std::move(r));
  return routes_.back();
}

void router::add_websocket(std::string path, websocket_handler handle) {
  websockets_.emplace(std::move(path), std::move(handle));
}

void router::add_fast(std::string path, fast_handler handle) {
  fast_.emplace(std::move(path), std::pair{std::move(handle), gate::unlimited});
}

const frozen_response* router::fast_answer(const fast_request& asked,
                                           std::string_view counted_address) const {
  const auto found = fast_.find(asked.path);
  if (found == fast_.end()) return nullptr;
  const auto& [handle, target] = found->second;
  if (gate_ && !gate_->passes_at_once(target, counted_address)) return nullptr;
  const auto start = std::chrono::steady_clock::now();
  const auto* answer = handle(asked);
  if (!answer) return nullptr;
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  duration_.observe(took.count());
  by_status_class_[static_cast<std::size_t>(answer->status / 100)]->add();
  return answer;
}

const websocket_handler* router::websocket_at(std::string_view path) const {
  const auto found = websockets_.find(path);
  return found == websockets_.end() ? nullptr : &found->second;
}

router::match router::find(exchange& x) const {
  match m;
  const auto wanted = x.req.method == verb::head ? verb::get : x.req.method;
  const auto consider = [&](std::size_t i) {
    if (routes_[i].method == wanted) {
      m.found = &routes_[i];
      return true;
    }
    if (!m.allowed.empty()) m.allowed += ", ";
    m.allowed += to_string(routes_[i].method);
    return false;
  };
  if (const auto exact = fixed_.find(x.req.path); exact != fixed_.end()) {
    for (const auto i : exact->second)
      if (consider(i)) return m;
    m.allowed.clear();  // a pattern may take the other methods; it is asked below, as is this path
  }
  const auto path = split(x.req.path);
  fields parameters;
  for (std::size_t i = 0; i < routes_.size(); ++i) {
    if (!fits(segments_[i], path, parameters) || !consider(i)) continue;
    x.path_parameters = std::move(parameters);
    return m;
  }
  return m;
}

awaitable<std::optional<response>> router::check_caller(exchange& x, const route& r) const {
  if (auto no = refuse_cross_site(x)) co_return std::move(no);
  auto who = co_await authenticate_(x.req);
  if (!who) co_return problem(who.error(), x.request_id);
  x.who = std::move(*who);
  if (auto no = refuse_banned_caller(x)) co_return std::move(no);
  if (auto ok = check_access(x.who, r); !ok) co_return problem(ok.error(), x.request_id);
  co_return std::nullopt;
}

std::optional<response> router::refuse_banned_caller(const exchange& x) const {
  const auto banned = bans_ ? bans_->of(x.who) : std::nullopt;
  if (!banned) return std::nullopt;
  return answer_to_banned(*banned, x.request_id);
}

awaitable<std::optional<response>> router::refuse_path_or_caller(exchange& x,
                                                                 const route& r) const {
  if (auto ok = check_path(x); !ok) co_return problem(ok.error(), x.request_id);
  if (r.who == access::anyone) co_return std::nullopt;
  std::optional<response> refused;
  try {
    refused = co_await check_caller(x, r);
  } catch (const std::exception&) {
    refused = answer_to_exception(x);
  }
  co_return std::move(refused);
}

awaitable<std::optional<response>> router::check_head_of(exchange& x, const route& r) const {
  auto refused = co_await refuse_path_or_caller(x, r);
  // Who is refused counts, too.
  std::optional<response> hasty;
  if (refused && x.who.as == role::anonymous)
    hasty = co_await limit_refused(x, r);
  else if (is_limited(target_of(r), x.who.as))
    hasty = co_await limit_head(x, r);
  if (hasty) co_return std::move(hasty);
  if (refused) co_return std::move(refused);
  if (auto ok = check_query(x, r); !ok) co_return problem(ok.error(), x.request_id);
  if (r.body && !is_json(x.req.header("content-type")) && !leaves_body_out(x.req, *r.body))
    co_return problem(415, invalid("send the body as application/json"), x.request_id);
  if (r.raw_body_limit_bytes != 0 && !r.takes_text && !is_json_body(x.req) &&
      !is_media_type(x.req.header("content-type"), "application/octet-stream"))
    co_return problem(415, invalid("send the body as application/json or application/octet-stream"),
                      x.request_id);
  co_return std::nullopt;
}

awaitable<admission> router::admit(exchange& x) const {
  const auto start = std::chrono::steady_clock::now();
  admission out;
  std::optional<response> refusal;
  const auto m = find(x);
  if (!m.found && m.allowed.empty()) {
    if (websocket_at(x.req.path)) {
      refusal = problem(426, invalid("this path is a WebSocket"), x.request_id);
      refusal->with("Upgrade", "websocket").with("Connection", "Upgrade");
    } else {
      refusal = problem({errc::not_found, "there is no such route"}, x.request_id);
    }
  } else if (!m.found) {
    refusal = problem(405, invalid("this path takes " + m.allowed), x.request_id);
    refusal->with("Allow", m.allowed);
  } else {
    try {
      refusal = co_await check_head_of(x, *m.found);
    } catch (const std::exception&) {
      refusal = answer_to_exception(x);
    }
  }
  if (!m.found) {
    auto hasty = co_await limit_stray(x);
    if (hasty) refusal = std::move(hasty);
  }
  x.spent = std::chrono::steady_clock::now() - start;
  if (refusal) {
    finish(x, *refusal);
    observe(x, *refusal);
    out.refusal = std::move(*refusal);
  } else {
    out.to = m.found;
  }
  co_return out;
}

awaitable<std::optional<response>> router::check_rest_of(exchange& x, const route& to) const {
  if (x.waited_for_body && x.who.as != role::anonymous && still_admitted_) {
    const bool is_admitted = co_await still_admitted_(x.who);
    if (!is_admitted)
      co_return problem({errc::unauthenticated, "this key was revoked, or this session has ended"},
                        x.request_id);
    if (auto no = refuse_banned_caller(x)) co_return std::move(no);
  }
  // Without a body it needs no type (check_head_of).
  if (to.body && !x.req.body.empty() && !is_json(x.req.header("content-type")))
    co_return problem(415, invalid("send the body as application/json"), x.request_id);
  body_errors errors;
  if (auto ok = check_body(x, to, errors); !ok) co_return problem(ok.error(), x.request_id, errors);
  if (is_limited(target_of(to), x.who.as)) co_return co_await limit_body(x, to);
  co_return std::nullopt;
}

awaitable<response> router::answer(exchange& x, const route& to) const {
  const auto start = std::chrono::steady_clock::now();
  response out;
  try {
    auto refusal = co_await check_rest_of(x, to);
    if (refusal)
      out = std::move(*refusal);
    else
      out = co_await handle(x, to);
  } catch (const std::exception&) {
    out = answer_to_exception(x);
  }
  x.spent += std::chrono::steady_clock::now() - start;
  finish(x, out);
  observe(x, out);
  note_if_slow(x, to.pattern, out.status);
  co_return out;
}

// Runs the handler. What an operator changes is noted before, and how it ended after.
awaitable<response> router::handle(exchange& x, const route& to) const {
  const bool is_noted = recorder_ && x.who.as == role::admin && !reads_only(to.method);
  if (!is_noted) co_return co_await to.handle(x);
  auto note = co_await recorder_->begin(x, to.method, to.pattern);
  response out;
  try {
    out = co_await to.handle(x);
  } catch (const std::exception&) {
    out = answer_to_exception(x);
  }
  co_await recorder_->end(std::move(note), out.status);
  co_return out;
}

awaitable<response> router::dispatch(exchange& x) const {
  auto admitted = co_await admit(x);
  if (!admitted.to) co_return std::move(admitted.refusal);
  co_return co_await answer(x, *admitted.to);
}

void router::observe(const exchange& x, const response& r) const {
  duration_.observe(std::chrono::duration<double>(x.spent).count());
  by_status_class_[static_cast<std::size_t>(r.status / 100)]->add();
}

response answer_to_exception(const exchange& x) {
  try {
    throw;
  } catch (const damaged_data& e) {
    log::error("request_failed",
               {{"request_id", x.request_id}, {"path", x.req.path}, {"error", e.what()}});
    return problem(damaged_data::as_error(), x.request_id);
  } catch (const failure& e) {
    log::warn("request_failed",
              {{"request_id", x.request_id}, {"path", x.req.path}, {"error", e.what()}});
    const char* detail = e.code() == errc::unavailable ? "a backend is down; try again"
                         : e.code() == errc::deadline_exceeded
                             ? "a backend did not answer in time; try again"
                             : "something went wrong here";
    return problem({e.code(), detail}, x.request_id);
  } catch (const std::exception& e) {
    log::error("request_failed",
               {{"request_id", x.request_id}, {"path", x.req.path}, {"error", e.what()}});
    return problem({errc::internal, "something went wrong here"}, x.request_id);
  }
}

std::optional<response> refuse_cross_site(const exchange& x) {
  if (!x.is_cross_site || !has_credential(x.req)) return std::nullopt;
  return problem({errc::forbidden, "pages of this origin may not use a key here"}, x.request_id);
}

}  // namespace skirmish::http
