#include "status/bedrock_ping.hpp"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto info = skirmish::status::parse_bedrock_pong(
      std::string_view(reinterpret_cast<const char*>(data), size));
  if (info.has_value() && (info->name.size() > 256 || info->map.size() > 256)) std::abort();
  return 0;
}
