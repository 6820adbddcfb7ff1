#include "config_sources.hpp"

#include <array>

namespace skirmish {

result<config_sources> sources_of_config(
    const std::string& file, const environment& env,
    const std::vector<std::pair<std::string, std::string>>& overrides) {
  struct layer {
    std::string_view name;
    result<config> settings;
  };
  const std::array<layer, 3> layers{{{"file", load_config(file, {}, {})},
                                     {"environment", load_config(file, env, {})},
                                     {"argument", load_config(file, env, overrides)}}};
  for (const auto& l : layers)
    if (!l.settings) return l.settings.error();
  const config defaults;
  config_sources out;
  for (const auto& s : settings()) {
    auto& source = out[s.name];
    source = "default";
    auto value = s.show(defaults);
    for (const auto& l : layers) {
      auto next = s.show(*l.settings);
      if (next != value) source = l.name;
      value = std::move(next);
    }
  }
  return out;
}

}  // namespace skirmish
