// Whatever the bytes, more of them never turn an answer into "more bytes are needed".
#include "status/minecraft_ping.hpp"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto half = skirmish::status::parse_minecraft_answer(bytes.substr(0, size / 2));
  const auto whole = skirmish::status::parse_minecraft_answer(bytes);
  if (half.has_value() && half->has_value() && (whole.has_error() || !whole->has_value()))
    std::abort();
  if (whole.has_value() && whole->has_value() && (*whole)->name.size() > 256) std::abort();
  (void)skirmish::status::parse_minecraft_status(bytes);
  return 0;
}
