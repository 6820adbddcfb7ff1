#include "redis/file_lock.hpp"

#include "core/error.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <utility>

namespace skirmish::redis {

namespace fs = std::filesystem;

namespace {

// Whoever merely reads the file has no such line in its /proc/<pid>/fdinfo/<fd>.
bool is_locked(const fs::path& fdinfo) {
  std::ifstream in(fdinfo);
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("lock:") && line.find("FLOCK") != std::string::npos) return true;
  return false;
}

}  // namespace

std::optional<file_lock> file_lock::try_acquire(const fs::path& file) {
  const int descriptor = open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor < 0)
    throw failure(errc::unavailable, fmt::format("{}: {}", file.string(), std::strerror(errno)));
  file_lock lock(descriptor);
  if (flock(descriptor, LOCK_EX | LOCK_NB) == 0) return lock;
  if (errno == EWOULDBLOCK) return std::nullopt;
  throw failure(errc::unavailable,
                fmt::format("cannot lock {}: {}", file.string(), std::strerror(errno)));
}

file_lock::~file_lock() {
  if (descriptor_ >= 0) close(descriptor_);
}

file_lock::file_lock(file_lock&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

file_lock& file_lock::operator=(file_lock&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

void file_lock::write(const std::string& text) const {
  // Only for messages: a failure to write changes nothing.
  [[maybe_unused]] const auto cut = ftruncate(descriptor_, 0);
  [[maybe_unused]] const auto written = pwrite(descriptor_, text.data(), text.size(), 0);
}

std::vector<pid_t> lock_holders(const fs::path& file) {
  std::vector<pid_t> found;
  std::error_code problem;
  const auto wanted = fs::canonical(file, problem);
  if (problem) return found;
  for (const auto& process : fs::directory_iterator("/proc", problem)) {
    const auto name = process.path().filename().string();
    pid_t pid = 0;
    const auto* end = name.data() + name.size();
    if (std::from_chars(name.data(), end, pid).ptr != end || pid == getpid()) continue;
    std::error_code denied;
    for (fs::directory_iterator fd(process.path() / "fd", denied), last; !denied && fd != last;
         fd.increment(denied)) {
      std::error_code gone;
      if (fs::read_symlink(fd->path(), gone) != wanted) continue;
      if (!is_locked(process.path() / "fdinfo" / fd->path().filename())) continue;
      found.push_back(pid);
      break;
    }
  }
  return found;
}

}  // namespace skirmish::redis
