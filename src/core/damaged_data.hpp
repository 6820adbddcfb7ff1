// What we have stored is something else now, because somebody wrote to it.
#pragma once

#include "core/error.hpp"

namespace skirmish {

// To go on is in vain until an operator has looked at it: clients are told to try again later, not
// that we have failed.
class damaged_data : public failure {
 public:
  explicit damaged_data(const std::string& what) : failure(errc::internal, what) {}

  // For clients.
  static error as_error() {
    return {errc::unavailable,
            "what is stored for this is damaged; an operator must look at the server's log"};
  }
};

}  // namespace skirmish
