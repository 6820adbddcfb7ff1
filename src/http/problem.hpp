// Errors on the wire: RFC 9457 problem details. The one place that maps error codes to HTTP.
#pragma once

#include "core/error.hpp"
#include "http/message.hpp"

#include <string>
#include <vector>

namespace skirmish::http {

// One complaint about a body: where (RFC 6901 JSON pointer) and what.
struct body_error {
  std::string pointer;
  std::string message;
};

int status_of(errc code) noexcept;

// `{type, title, status, detail, code, request_id, errors?}`. 503 and 429 carry Retry-After.
response problem(const error& e, std::string_view request_id,
                 const std::vector<body_error>& errors = {});

// The same with a status that no code has of its own: 405, 415, 426, 431.
response problem(int status, const error& e, std::string_view request_id,
                 const std::vector<body_error>& errors = {});

}  // namespace skirmish::http
