// Thrown by what subcommands run when their arguments do not fit: the command ends with the message
// on standard error and exit code 2.
#pragma once

#include <string>

namespace skirmish {

struct usage_error {
  std::string message;
};

}  // namespace skirmish
