// What following a file must remember to go on after a restart: which stream its lines are, and by
// which bytes the file is known again.
#pragma once

#include "core/digest.hpp"
#include "ingest/ingest.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace skirmish::cli {

// The beginning of a file. A log only grows, so a file that begins with other bytes is another one,
// whatever its name; a renamed log begins with the same.
class file_prefix {
 public:
  void update(std::string_view bytes);
  [[nodiscard]] std::uint64_t size_bytes() const noexcept { return size_bytes_; }
  [[nodiscard]] std::string digest() const { return digest_.hex(); }

 private:
  sha256 digest_;
  std::uint64_t size_bytes_ = 0;
};

struct follow_state {
  std::string stream;
  std::string server;  // the game server's name; may be empty
  ingest::format format = ingest::format::source;
  std::uint64_t inode = 0;
  // Everything that was ever sent in the stream stands before this byte.
  std::uint64_t size_bytes = 0;
  std::string digest;  // of these bytes

  // True when the file begins with the bytes that the stream has taken from it.
  [[nodiscard]] bool describes(const std::string& path) const;
};

// Nothing when there is no such file. Throws failure{invalid_argument} when it cannot be used: it
// is no state, or of a version that made other events of the same lines.
std::optional<follow_state> load_follow_state(const std::string& path);

// Replaces the file as a whole. Throws failure{unavailable}.
void save_follow_state(const std::string& path, const follow_state& state);

}  // namespace skirmish::cli
