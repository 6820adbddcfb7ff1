// The input is a conversation: datagrams, each preceded by its length in two bytes.
#include "status/a2s.hpp"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  skirmish::status::a2s_query query;
  while (rest.size() >= 2) {
    const auto length = static_cast<std::size_t>(static_cast<unsigned char>(rest[0])) |
                        static_cast<std::size_t>(static_cast<unsigned char>(rest[1])) << 8U;
    rest.remove_prefix(2);
    const auto datagram = rest.substr(0, length);
    rest.remove_prefix(datagram.size());
    const auto next = query.receive(datagram);
    if (query.request().size() != 25 && query.request().size() != 29) std::abort();
    if (next == skirmish::status::a2s_query::step::done && query.info().name.size() > 256)
      std::abort();
  }
  return 0;
}
