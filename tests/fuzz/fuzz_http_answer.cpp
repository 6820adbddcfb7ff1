#include "status/http_answer.hpp"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto status =
      skirmish::status::parse_http_status({reinterpret_cast<const char*>(data), size});
  if (status.has_value() && status->has_value() && (**status < 100 || **status > 599)) std::abort();
  return 0;
}
