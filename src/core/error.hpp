// Errors, in two kinds.
//
// An outcome that depends on input is a `result<T>`: the caller looks at it and goes on. An
// infrastructure failure (a lost connection, a full queue, a deadline) throws `failure`: one catch
// per request, per socket and per task turns it into an answer. What a client sees is the code and
// the message; messages never contain internals.
#pragma once

#include <boost/system/result.hpp>

#include <stdexcept>
#include <string>
#include <string_view>

namespace skirmish {

// The stable words of the API ("code" in problem documents). Neutral: they know neither HTTP nor
// Redis.
enum class errc {
  not_found,
  already_exists,
  conflict,
  invalid_argument,
  unauthenticated,
  forbidden,
  rate_limited,
  unavailable,        // a backend is down or a bounded queue is full; trying again later is right
  deadline_exceeded,  // no answer in time; whether it was done is unknown
  too_large,
  internal,
};

// The word clients see, for example "not_found".
std::string_view to_string(errc code) noexcept;

struct error {
  errc code = errc::internal;
  std::string message;
};

template <class T>
using result = boost::system::result<T, error>;

// Thrown for infrastructure failures. `what()` goes to the log; clients see only the code.
class failure : public std::runtime_error {
 public:
  failure(errc code, const std::string& what) : std::runtime_error(what), code_(code) {}
  [[nodiscard]] errc code() const noexcept { return code_; }

 private:
  errc code_;
};

// Found by argument-dependent lookup when `result<T>::value()` is called on an error.
[[noreturn]] void throw_exception_from_error(const error& e, const boost::source_location& where);

}  // namespace skirmish
