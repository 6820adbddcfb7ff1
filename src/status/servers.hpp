// The game servers that the settings name.
#pragma once

#include "config.hpp"

#include <optional>
#include <string>
#include <vector>

namespace skirmish::status {

struct named_server {
  std::string name;  // empty: that of `status.probe`
  std::string url;
};

// The one that /server/status tells of: status.probe, else the first of status.probes.
inline std::optional<named_server> first_server(const config& settings) {
  const auto& s = settings.status;
  if (!s.probe.empty()) return named_server{{}, s.probe};
  if (s.probes.empty()) return std::nullopt;
  return named_server{s.probes.front().first, s.probes.front().second};
}

inline std::string first_server_name(const config& settings) {
  const auto first = first_server(settings);
  return first ? first->name : std::string();
}

// All others.
inline std::vector<named_server> other_servers(const config& settings) {
  std::vector<named_server> out;
  const auto& s = settings.status;
  for (std::size_t i = s.probe.empty() ? 1 : 0; i < s.probes.size(); ++i)
    out.push_back({s.probes[i].first, s.probes[i].second});
  return out;
}

}  // namespace skirmish::status
