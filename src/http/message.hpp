// A request as handlers see it, and a response as they give it. No library types: Beast stays
// inside session.cpp.
#pragma once

#include "core/error.hpp"

#include <boost/json/value.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skirmish::http {

namespace json = boost::json;

enum class verb { get, head, post, put, patch, delete_, options, other };
std::string_view to_string(verb method) noexcept;

using fields = std::vector<std::pair<std::string, std::string>>;

struct request {
  verb method = verb::get;
  int version_minor = 1;  // of HTTP/1
  std::string path;       // as sent, without the query
  std::string query;      // as sent, without '?'
  fields headers;         // names in lower case
  std::string body;
  std::string remote_address;
  bool is_secure = false;  // came over TLS, here or at a trusted proxy

  // The first header of that (lower-case) name; empty when absent.
  [[nodiscard]] std::string_view header(std::string_view name) const noexcept;
};

struct response {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  fields headers;
  // A body shared by many responses; used instead of `body` when set.
  std::shared_ptr<const std::string> shared_body;

  response& with(std::string name, std::string value) {
    headers.emplace_back(std::move(name), std::move(value));
    return *this;
  }
  [[nodiscard]] const std::string& bytes() const noexcept {
    return shared_body ? *shared_body : body;
  }
};

response json_response(const json::value& body, int status = 200);
response text_response(std::string body, std::string content_type = "text/plain; charset=utf-8");
response no_content();

// The reason phrase of a status this server sends.
std::string_view reason(int status) noexcept;

}  // namespace skirmish::http
