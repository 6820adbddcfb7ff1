#include "http/problem.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

namespace skirmish::http {

int status_of(errc code) noexcept {
  switch (code) {
    case errc::not_found: return 404;
    case errc::already_exists: return 409;
    case errc::conflict: return 409;
    case errc::invalid_argument: return 400;
    case errc::unauthenticated: return 401;
    case errc::forbidden: return 403;
    case errc::rate_limited: return 429;
    case errc::unavailable: return 503;
    case errc::deadline_exceeded: return 504;
    case errc::too_large: return 413;
    case errc::internal: return 500;
  }
  return 500;
}

response problem(const error& e, std::string_view request_id,
                 const std::vector<body_error>& errors) {
  return problem(status_of(e.code), e, request_id, errors);
}

response problem(int status, const error& e, std::string_view request_id,
                 const std::vector<body_error>& errors) {
  json::object body{{"type", "about:blank"},     {"title", reason(status)},
                    {"status", status},          {"detail", e.message},
                    {"code", to_string(e.code)}, {"request_id", request_id}};
  if (!errors.empty()) {
    json::array list;
    for (const auto& item : errors)
      list.push_back(json::object{{"pointer", item.pointer}, {"message", item.message}});
    body["errors"] = std::move(list);
  }
  auto r = json_response(body, status);
  r.content_type = "application/problem+json";
  if (status == 503 || status == 504 || status == 429) r.with("Retry-After", "1");
  if (status == 401) r.with("WWW-Authenticate", "Bearer, ApiKey");
  return r;
}

}  // namespace skirmish::http
