#include "http/bans.hpp"

#include "http/problem.hpp"

#include <boost/json/object.hpp>

namespace skirmish::http {

response answer_to_banned(const ban& why, std::string_view request_id) {
  const json::object body{{"type", "about:blank"}, {"title", reason(403)},
                          {"status", 403},         {"detail", why.detail},
                          {"code", "banned"},      {"request_id", request_id}};
  auto r = json_response(body, 403);
  r.content_type = "application/problem+json";
  set_retry_after(r, why.left);
  return r;
}

}  // namespace skirmish::http
