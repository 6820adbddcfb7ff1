#include "http/problem.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <algorithm>

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

void body_errors::add(std::string_view pointer, std::string message) {
  if (listed_.size() == listed_max) {
    ++unlisted_;
    return;
  }
  std::string place(pointer.substr(0, pointer_max_bytes));
  if (place.size() < pointer.size()) {
    // Not in the middle of a character: its later bytes begin with the bits 10.
    auto end = place.size();
    while (end > 0 && (static_cast<unsigned char>(pointer[end]) & 0xC0) == 0x80) --end;
    place.resize(end);
    place += "\xE2\x80\xA6";
  }
  listed_.push_back({std::move(place), std::move(message)});
}

response problem(const error& e, std::string_view request_id, const body_errors& errors) {
  return problem(status_of(e.code), e, request_id, errors);
}

response problem(int status, const error& e, std::string_view request_id,
                 const body_errors& errors) {
  json::object body{{"type", "about:blank"},     {"title", reason(status)},
                    {"status", status},          {"detail", e.message},
                    {"code", to_string(e.code)}, {"request_id", request_id}};
  if (!errors.empty()) {
    json::array list;
    for (const auto& item : errors.listed())
      list.push_back(json::object{{"pointer", item.pointer}, {"message", item.message}});
    if (const auto more = errors.size() - list.size(); more > 0)
      list.push_back(
          json::object{{"pointer", ""}, {"message", "and " + std::to_string(more) + " more"}});
    body["errors"] = std::move(list);
  }
  auto r = json_response(body, status);
  r.content_type = "application/problem+json";
  if (status == 503 || status == 504 || status == 429) r.with("Retry-After", "1");
  if (status == 401) r.with("WWW-Authenticate", "Bearer, ApiKey");
  return r;
}

void set_retry_after(response& r, std::chrono::milliseconds wait) {
  std::erase_if(r.headers, [](const auto& field) { return field.first == "Retry-After"; });
  const auto whole_s = std::chrono::ceil<std::chrono::seconds>(wait).count();
  r.with("Retry-After", std::to_string(std::max<std::int64_t>(whole_s, 1)));
}

}  // namespace skirmish::http
