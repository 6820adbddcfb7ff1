#include "tasks/queue_list.hpp"

#include "core/parse.hpp"

#include <algorithm>
#include <string_view>

namespace skirmish::tasks {

std::vector<std::pair<std::string, int>> parse_queues(const std::string& text) {
  std::vector<std::pair<std::string, int>> out;
  std::size_t from = 0;
  while (from < text.size()) {
    const auto comma = std::min(text.find(',', from), text.size());
    auto name = text.substr(from, comma - from);
    int weight = 1;
    if (const auto colon = name.rfind(':'); colon != std::string::npos) {
      if (const auto n = parse_integer(std::string_view(name).substr(colon + 1));
          n && *n > 0 && *n <= 1000) {
        weight = static_cast<int>(*n);
        name.resize(colon);
      }
    }
    if (!name.empty()) out.emplace_back(std::move(name), weight);
    from = comma + 1;
  }
  return out;
}

}  // namespace skirmish::tasks
