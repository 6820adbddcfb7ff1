#include "redis/child_process.hpp"

#include "core/error.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <thread>
#include <utility>

namespace skirmish::redis {
namespace {

using namespace std::chrono_literals;

constexpr auto polite_stop = 5'000ms;
constexpr auto poll_interval = 5ms;

// What the child does between fork() and exec(): only async-signal-safe calls, for other threads
// may hold locks. Returns only when it failed.
void become(const child_process::launch& what, char** argv, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(1);  // the parent died before the line above
  setpgid(0, 0);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  const int output = what.output >= 0 ? what.output : null;
  if (null < 0 || dup2(null, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0) return;
  // Asio's sockets are not close-on-exec, so everything else is marked here.
  if (close_range(3, UINT_MAX, CLOSE_RANGE_CLOEXEC) != 0)
    for (long fd = sysconf(_SC_OPEN_MAX) - 1; fd >= 3; --fd)
      fcntl(static_cast<int>(fd), F_SETFD, FD_CLOEXEC);
  for (int fd = 0; fd < 3; ++fd) fcntl(fd, F_SETFD, 0);
  if (!what.directory.empty() && chdir(what.directory.c_str()) != 0) return;
  if (what.kept_open >= 0 && fcntl(what.kept_open, F_SETFD, 0) < 0) return;
  execv(what.program.c_str(), argv);
}

std::string describe(int status) {
  if (WIFSIGNALED(status)) return fmt::format("signal {}", WTERMSIG(status));
  return fmt::format("exit code {}", WEXITSTATUS(status));
}

bool is_program(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(path, ignored) && access(path.c_str(), X_OK) == 0;
}

}  // namespace

child_process::child_process(const launch& what) {
  auto words = what.arguments;
  words.insert(words.begin(), what.program);
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  // The child writes errno here when it cannot become the program; exec() closes it.
  std::array<int, 2> report{};
  if (pipe2(report.data(), O_CLOEXEC) != 0)
    throw failure(errc::unavailable, fmt::format("pipe: {}", std::strerror(errno)));
  const auto parent = getpid();
  const auto pid = fork();
  if (pid == 0) {
    become(what, argv.data(), parent);
    const int problem = errno;
    [[maybe_unused]] const auto ignored = write(report[1], &problem, sizeof problem);
    _exit(127);
  }
  close(report[1]);
  int problem = pid < 0 ? errno : 0;
  if (pid > 0)
    while (read(report[0], &problem, sizeof problem) < 0 && errno == EINTR) {
    }
  close(report[0]);
  if (pid > 0 && problem != 0) waitpid(pid, nullptr, 0);
  if (problem != 0)
    throw failure(errc::unavailable,
                  fmt::format("cannot start {}: {}", what.program, std::strerror(problem)));
  pid_ = pid;
}

child_process::~child_process() {
  signal(SIGTERM);
  if (wait(polite_stop)) return;
  signal(SIGKILL);
  wait(polite_stop);
}

child_process::child_process(child_process&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)), ending_(std::move(other.ending_)) {}

child_process& child_process::operator=(child_process&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(ending_, other.ending_);
  return *this;
}

bool child_process::running() {
  if (pid_ == 0) return false;
  int status = 0;
  const auto ended = waitpid(pid_, &status, WNOHANG);
  if (ended == 0) return true;
  ending_ = ended == pid_ ? describe(status) : "unknown";
  pid_ = 0;
  return false;
}

void child_process::signal(int number) const noexcept {
  if (pid_ != 0) kill(pid_, number);
}

bool child_process::wait(std::chrono::milliseconds deadline) {
  const auto limit = std::chrono::steady_clock::now() + deadline;
  while (running()) {
    if (std::chrono::steady_clock::now() >= limit) return false;
    std::this_thread::sleep_for(poll_interval);
  }
  return true;
}

std::string find_program(const std::vector<std::string>& names) {
  const char* variable = std::getenv("PATH");
  const auto path =
      std::string(variable != nullptr ? variable : "") + ":/usr/local/bin:/usr/bin:/usr/sbin:/bin";
  for (const auto& name : names) {
    for (std::size_t at = 0; at < path.size();) {
      const auto end = std::min(path.find(':', at), path.size());
      const auto candidate = std::filesystem::path(path.substr(at, end - at)) / name;
      if (candidate.is_absolute() && is_program(candidate)) return candidate.string();
      at = end + 1;
    }
  }
  return {};
}

}  // namespace skirmish::redis
