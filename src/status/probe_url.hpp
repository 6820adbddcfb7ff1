// Which game server to ask, and how: the parsed form of `status.probe`.
//
//   a2s://host[:27015]            Valve's server query over UDP
//   minecraft://host[:25565]      Server List Ping of Minecraft 1.7 and later (no SRV look-up)
//   bedrock://host[:19132]        RakNet's unconnected ping of Minecraft's Bedrock Edition over UDP
//   tcp://host:port               does it accept connections
//   http://host[:80][/path]       does it answer with a status below 400
//   https://host[:443][/path]     the same, with a certificate that the system trusts
#pragma once

#include "core/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace skirmish::status {

enum class probe_kind { a2s, minecraft, bedrock, tcp, http, https };

struct probe_target {
  probe_kind kind = probe_kind::tcp;
  std::string host;  // a name or an address; an IPv6 address without its brackets
  std::uint16_t port = 0;
  std::string path = "/";  // with its query; http and https only
};

// An error's message names the wrong part.
result<probe_target> parse_probe_url(std::string_view url);

// "host:port", as logs and HTTP's Host header have it.
std::string authority(const probe_target& target);

}  // namespace skirmish::status
