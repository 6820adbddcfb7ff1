// Errors on the wire: RFC 9457 problem details. The one place that maps error codes to HTTP.
#pragma once

#include "core/error.hpp"
#include "http/message.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace skirmish::http {

// One complaint about a body: where (RFC 6901 JSON pointer) and what.
struct body_error {
  std::string pointer;
  std::string message;
};

// The complaints about one body. However many there are, and however long the names in the body, an
// answer with them stays small: the first ones are kept and the others counted.
class body_errors {
 public:
  static constexpr std::size_t listed_max = 50;
  static constexpr std::size_t pointer_max_bytes = 256;

  // A pointer that is too long is cut at a character and ends in an ellipsis.
  void add(std::string_view pointer, std::string message);

  [[nodiscard]] bool empty() const noexcept { return listed_.empty(); }
  [[nodiscard]] std::size_t size() const noexcept { return listed_.size() + unlisted_; }
  [[nodiscard]] const std::vector<body_error>& listed() const noexcept { return listed_; }

 private:
  std::vector<body_error> listed_;
  std::size_t unlisted_ = 0;
};

int status_of(errc code) noexcept;

// `{type, title, status, detail, code, request_id, errors?}`. 503 and 429 carry Retry-After. The
// last of many errors says how many more there are.
response problem(const error& e, std::string_view request_id, const body_errors& errors = {});

// The same with a status that no code has of its own: 405, 415, 426, 431.
response problem(int status, const error& e, std::string_view request_id,
                 const body_errors& errors = {});

// Sets Retry-After, in whole seconds rounded up, at least 1.
void set_retry_after(response& r, std::chrono::milliseconds wait);

}  // namespace skirmish::http
