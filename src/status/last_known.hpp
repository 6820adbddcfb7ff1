// The last good document on disk, so that a restart while everything is down still has an answer.
#pragma once

#include "status/document.hpp"

#include <filesystem>
#include <optional>

namespace skirmish::status {

class last_known {
 public:
  // `file` may not exist yet.
  explicit last_known(std::filesystem::path file) : file_(std::move(file)) {}

  // Nothing when there is none, or when it cannot be read (which is logged).
  [[nodiscard]] std::optional<document> load() const;
  // Replaces the file in one step. A disk that refuses is logged, and no reason to stop.
  void save(const document& d) const;

 private:
  std::filesystem::path file_;
};

}  // namespace skirmish::status
