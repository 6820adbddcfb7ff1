// X-Forwarded-For behind trusted proxies: whatever stands there, the client is an address, and one
// that no trusted proxy has unless nobody else is named.
#include "http/client_address.hpp"

#include <boost/asio/ip/address.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skirmish::http;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  // The first line is the list of trusted proxies, each other one a header.
  const auto end = std::min(bytes.find('\n'), bytes.size());
  const auto parsed = trusted_proxies::parse(bytes.substr(0, end));
  if (!parsed && parsed.error().message.empty()) std::abort();
  fields headers;
  for (auto rest = bytes.substr(std::min(end + 1, bytes.size())); !rest.empty();) {
    const auto line = std::min(rest.find('\n'), rest.size());
    headers.emplace_back("x-forwarded-for", rest.substr(0, line));
    rest.remove_prefix(std::min(line + 1, rest.size()));
  }
  const auto peer = boost::asio::ip::make_address("192.0.2.1");
  const auto nobody = trusted_proxies();
  if (client_of(peer, headers, nobody) != peer) std::abort();
  if (parsed && !parsed->contain(peer) && client_of(peer, headers, *parsed) != peer) std::abort();
  if (parsed) static_cast<void>(counted_address(client_of(peer, headers, *parsed).to_string()));
  static_cast<void>(counted_address(bytes));
  return 0;
}
