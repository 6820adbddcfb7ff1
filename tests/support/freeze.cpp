#include "support/freeze.hpp"

#include <fmt/format.h>
#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string_view>
#include <thread>

namespace skirmish::testing {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

struct process_state {
  char letter = 'X';  // as in proc(5); X: gone
  pid_t parent = 0;
};

process_state state_of(pid_t pid) {
  process_state out;
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string line;
  // The name in the middle may hold any character, so look for its end from behind.
  if (!std::getline(file, line)) return out;
  std::istringstream rest(line.substr(line.rfind(')') + 1));
  rest >> out.letter >> out.parent;
  return out;
}

std::vector<pid_t> children_of(pid_t parent) {
  std::vector<pid_t> out;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const auto pid = std::atoi(entry.path().filename().c_str());
    if (pid > 0 && state_of(pid).parent == parent) out.push_back(pid);
  }
  return out;
}

void wait_for(pid_t pid, std::string_view letters) {
  const auto limit = std::chrono::steady_clock::now() + 30s;
  while (letters.find(state_of(pid).letter) == std::string_view::npos) {
    if (std::chrono::steady_clock::now() > limit)
      throw std::runtime_error(fmt::format("process {} does not obey its signal", pid));
    std::this_thread::sleep_for(1ms);
  }
}

constexpr std::string_view ended = "ZX";  // a zombie waits for nothing but its parent

}  // namespace

void freeze(redis::child_process& child) {
  child.signal(SIGSTOP);
  siginfo_t stopped{};
  waitid(P_PID, static_cast<id_t>(child.pid()), &stopped, WSTOPPED | WNOWAIT);
}

std::vector<pid_t> freeze_family(redis::child_process& child) {
  // The parent first: then nobody starts another.
  freeze(child);
  auto family = children_of(child.pid());
  for (const auto pid : family) ::kill(pid, SIGSTOP);
  for (const auto pid : family) wait_for(pid, "TZX");
  return family;
}

void kill_family(redis::child_process& child) {
  if (child.pid() == 0) return;
  const auto family = freeze_family(child);
  child.signal(SIGKILL);
  for (const auto pid : family) ::kill(pid, SIGKILL);
  child.wait(10s);
  for (const auto pid : family) wait_for(pid, ended);
}

}  // namespace skirmish::testing
