// What an exception says, whatever was thrown; for logs.
#pragma once

#include <exception>
#include <string>

namespace skirmish {

std::string message_of(const std::exception_ptr& problem);

}  // namespace skirmish
