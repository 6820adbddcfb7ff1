// A document that another program wrote to Redis: refused, or read and written again without loss.
#include "status/document.hpp"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skirmish::status;
  const auto read = parse_document({reinterpret_cast<const char*>(data), size});
  if (!read) return 0;
  const auto text = to_json(*read);
  const auto again = parse_document(text);
  if (!again || to_json(*again) != text) std::abort();
  return 0;
}
