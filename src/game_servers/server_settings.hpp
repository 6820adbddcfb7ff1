// The game servers whose logs come by UDP, as operators write them: `ingest.servers`.
#pragma once

#include "core/error.hpp"
#include "http/client_address.hpp"

#include <boost/asio/ip/udp.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skirmish::game_servers {

inline constexpr std::size_t servers_max = 64;
inline constexpr std::size_t secret_max_bytes = 64;

struct udp_server {
  std::string name;    // ingest::is_server_name
  std::string secret;  // its sv_logsecret; empty: it sends none
  // Where it may send from; everywhere when both are empty.
  std::vector<boost::asio::ip::udp::endpoint> endpoints;
  http::trusted_proxies networks;
  bool is_anywhere = true;

  [[nodiscard]] bool accepts(const boost::asio::ip::udp::endpoint& from) const;
};

// Settings are `<server>.secret` and `<server>.sources`, and a value. An error says what is wrong
// with one.
//
// A secret is 1 to 64 visible ASCII characters without quotes and semicolons, the first of them 1
// to 9: an engine takes what begins otherwise for none. Sources are addresses with or without a
// port
// (`203.0.113.7:27015`, `[2001:db8::7]:27015`) and networks (`10.0.0.0/8`), with spaces or commas
// between.
using setting_list = std::vector<std::pair<std::string, std::string>>;
result<void> check_setting(std::string_view key, std::string_view value);
// Each server of the list once. invalid_argument for one that anybody could speak for: it has
// neither a secret nor sources.
result<std::vector<udp_server>> configured_servers(const setting_list& settings);

}  // namespace skirmish::game_servers
