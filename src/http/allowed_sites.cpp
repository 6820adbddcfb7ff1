#include "http/allowed_sites.hpp"

#include "core/comma_list.hpp"

#include <algorithm>

namespace skirmish::http {

allowed_sites::allowed_sites(std::string_view list) {
  for (auto item : items_of(list)) {
    while (item.ends_with('/')) item.remove_suffix(1);
    if (!item.empty()) origins_.emplace_back(item);
  }
  are_all_ = std::ranges::find(origins_, "*") != origins_.end();
}

void allowed_sites::add_to(response& r, std::string_view origin) const {
  const bool is_listed = std::ranges::find(origins_, origin) != origins_.end();
  if (!are_all_ && !is_listed) return;
  r.with("Access-Control-Allow-Origin", are_all_ ? "*" : std::string(origin));
  r.with("Access-Control-Expose-Headers", "ETag, X-Request-Id");
}

}  // namespace skirmish::http
