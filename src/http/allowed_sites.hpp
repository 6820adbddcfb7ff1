// Which other sites' pages may read a public answer (CORS: Fetch standard, section 3.2).
#pragma once

#include "http/message.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace skirmish::http {

class allowed_sites {
 public:
  allowed_sites() = default;  // none
  // Origins (https://example.com) with commas between, or `*` for all.
  explicit allowed_sites(std::string_view list);

  [[nodiscard]] bool are_none() const noexcept { return origins_.empty(); }
  [[nodiscard]] bool are_all() const noexcept { return are_all_; }

  // Lets a page of this origin read the answer, if it may.
  void add_to(response& r, std::string_view origin) const;

 private:
  std::vector<std::string> origins_;
  bool are_all_ = false;
};

}  // namespace skirmish::http
