// The fast path: the plainest GET requests of routes whose answer lies ready as bytes.
//
// It takes a request only when it is surely valid and asks for nothing special; whatever is in
// doubt (a body, an upgrade, an unusual line) is left untouched for the ordinary path, which
// judges it. So it changes what an answer costs, never what it says.
#pragma once

#include "http/message.hpp"

#include <array>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace skirmish::http {

// A GET without body, with "Connection: keep-alive" understood.
struct fast_request {
  std::string_view path;  // without query; requests with one are not taken
  std::string_view accept_encoding;
  bool has_origin = false;
  bool is_conditional = false;  // If-None-Match, If-Modified-Since, Range, …
  std::size_t size_bytes = 0;   // of the whole request
};

// The request at the start of `received`, when it is whole, plain and surely valid.
std::optional<fast_request> parse_fast_request(std::string_view received);

// A response as bytes: `head` lacks X-Request-Id, Date and the empty line, which the session adds.
struct frozen_response {
  int status = 200;
  std::string head;
  std::shared_ptr<const std::string> body;
};

frozen_response freeze(const response& r);
// Status line and header fields, with Content-Length, as they stand in every response.
void append_head(std::string& out, const response& r);

// Null: this request goes the ordinary path. What it returns must live until the next call.
using fast_handler = std::function<const frozen_response*(const fast_request&)>;

}  // namespace skirmish::http
