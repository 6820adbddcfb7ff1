#include "core/message_of.hpp"

namespace skirmish {

std::string message_of(const std::exception_ptr& problem) {
  try {
    if (problem) std::rethrow_exception(problem);
    return "nothing";
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "something that is no std::exception";
  }
}

}  // namespace skirmish
