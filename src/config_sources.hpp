// Where each setting's value comes from.
#pragma once

#include "config.hpp"

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skirmish {

// Name of a setting → "default", "file", "environment" or "argument".
using config_sources = std::map<std::string, std::string_view>;

// Takes what load_config() takes, and has its errors. The source is the last layer that changed the
// value: one that repeats what holds without it is not named.
result<config_sources> sources_of_config(
    const std::string& file, const environment& env,
    const std::vector<std::pair<std::string, std::string>>& overrides);

}  // namespace skirmish
