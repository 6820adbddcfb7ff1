// Secrets among the arguments of the program.
#pragma once

#include "secrets.hpp"

#include <string_view>

namespace skirmish::cli {

// Logs that `argument` put a secret where every user of the machine can read it, and the safer way.
void warn_of_secret_argument(std::string_view argument, std::string_view safer);

}  // namespace skirmish::cli
