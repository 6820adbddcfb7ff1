// An exclusive lock on a file (flock), held by whoever has it open: it ends with the process,
// however that ends.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace skirmish::redis {

class file_lock {
 public:
  // Creates the file if need be. Nothing when another process holds the lock. Throws `failure` when
  // the file cannot be opened.
  static std::optional<file_lock> try_acquire(const std::filesystem::path& file);

  ~file_lock();
  file_lock(file_lock&& other) noexcept;
  file_lock& operator=(file_lock&& other) noexcept;

  // Closed on exec. A child which keeps it open (child_process::launch::kept_open) holds the lock
  // as well, and alone once this object is gone.
  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }
  // Replaces the file's content, so that others can say who holds the lock.
  void write(const std::string& text) const;

 private:
  explicit file_lock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_ = -1;
};

// The processes, other than this one, that hold the lock (as far as /proc may be read).
std::vector<pid_t> lock_holders(const std::filesystem::path& file);

}  // namespace skirmish::redis
