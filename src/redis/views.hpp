// Keys and arguments of a script as client::eval() takes them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace skirmish::redis {

// Valid as long as the texts are.
inline std::vector<std::string_view> views(const std::vector<std::string>& texts) {
  return {texts.begin(), texts.end()};
}

}  // namespace skirmish::redis
