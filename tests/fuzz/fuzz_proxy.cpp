// PROXY headers as a session reads them: what it asks for never leads behind the header, and ends.
#include "http/proxy_protocol.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skirmish::http;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  std::size_t got = 0;
  while (true) {
    const auto header = parse_proxy_header(bytes.substr(0, got));
    if (header.is != proxy_header::state::need_more) {
      if (header.is == proxy_header::state::bad && header.source) std::abort();
      // Whatever follows belongs to somebody else: it is not asked for.
      if (got > proxy_header_max_bytes) std::abort();
      break;
    }
    if (header.wanted_bytes == 0 || got + header.wanted_bytes > proxy_header_max_bytes)
      std::abort();
    if (got == size) break;
    got = std::min(got + header.wanted_bytes, size);
  }
  static_cast<void>(parse_proxy_header(bytes));  // also when more was read than was wanted
  return 0;
}
