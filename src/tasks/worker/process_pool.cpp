#include "tasks/worker/process_pool.hpp"

#include "core/error.hpp"
#include "core/log.hpp"
#include "tasks/protocol/glob.hpp"
#include "tasks/protocol/json_text.hpp"

#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>

extern char** environ;

namespace skirmish::tasks {
namespace {

constexpr std::uint32_t frame_limit_bytes = 512U << 20;

// ---- frames: a length, a kind, and that many bytes ----

bool write_all(int fd, const char* data, std::size_t size) {
  while (size > 0) {
    const auto n = ::send(fd, data, size, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    data += n;
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

bool read_all(int fd, char* data, std::size_t size) {
  while (size > 0) {
    const auto n = ::recv(fd, data, size, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    data += n;
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

bool write_frame(int fd, char kind, std::string_view payload) {
  std::array<char, 5> head{};
  const auto size = static_cast<std::uint32_t>(payload.size());
  std::memcpy(head.data(), &size, 4);
  head[4] = kind;
  return write_all(fd, head.data(), head.size()) && write_all(fd, payload.data(), payload.size());
}

bool read_frame(int fd, char& kind, std::string& payload) {
  std::array<char, 5> head{};
  if (!read_all(fd, head.data(), head.size())) return false;
  std::uint32_t size = 0;
  std::memcpy(&size, head.data(), 4);
  if (size > frame_limit_bytes) return false;
  kind = head[4];
  payload.resize(size);
  return read_all(fd, payload.data(), size);
}

// ---- a file descriptor through a socket ----

union control_space {
  cmsghdr header;
  std::array<char, CMSG_SPACE(sizeof(int))> bytes;
};

bool send_descriptor(int through, int fd) {
  char byte = 'c';
  iovec part{&byte, 1};
  control_space space{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = space.bytes.data();
  message.msg_controllen = space.bytes.size();
  auto* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &fd, sizeof(int));
  return ::sendmsg(through, &message, MSG_NOSIGNAL) == 1;
}

int receive_descriptor(int through) {
  char byte = 0;
  iovec part{&byte, 1};
  control_space space{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = space.bytes.data();
  message.msg_controllen = space.bytes.size();
  ssize_t got = 0;
  do {
    got = ::recvmsg(through, &message, MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  auto* header = CMSG_FIRSTHDR(&message);
  if (got != 1 || header == nullptr || header->cmsg_type != SCM_RIGHTS) return -1;
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(header), sizeof(int));
  return fd;
}

// ---- the child ----

std::atomic<job*> job_of_this_child{nullptr};

void on_soft_limit(int) {
  if (auto* j = job_of_this_child.load()) j->soft_limit_passed = true;
}

class child_host final : public job_host {
 public:
  child_host(app::impl& in, int fd) : app_(in), fd_(fd) {}
  void publish_state(const job&, std::string document) override { write_frame(fd_, 's', document); }
  [[nodiscard]] const app::impl& owner() const override { return app_; }
  [[nodiscard]] const std::string& node() const override { return node_; }
  void set_node(std::string node) { node_ = std::move(node); }

 private:
  app::impl& app_;
  int fd_;
  std::string node_;
};

std::string report_of(const job& j) {
  json_array followers, chords, events, more, parts;
  for (const auto& [list, envelope] : j.followers)
    followers.push_back(json_array{json(list), json(envelope)});
  for (const auto& [key, value] : j.follower_chords)
    chords.push_back(json_array{json(key), json(value)});
  for (const auto& fields : j.follower_events) events.push_back(json(fields));
  for (const auto& p : j.chord_parts)
    parts.push_back(
        json_array{json(p.group_id), json(p.score), json(p.member), json(p.part), json(p.how)});
  for (const auto& [id, document] : j.more_results)
    more.push_back(json_array{json(id), json(document)});
  std::string out;
  append_json(out, json_object{{"ended", static_cast<int>(j.ended)},
                               {"result", j.result_json},
                               {"repr", j.result_repr},
                               {"problem", j.problem.to_json()},
                               {"traceback", j.problem.traceback},
                               {"runtime", j.runtime_s},
                               {"document", j.document},
                               {"followers", std::move(followers)},
                               {"chords", std::move(chords)},
                               {"events", std::move(events)},
                               {"more", std::move(more)},
                               {"parts", std::move(parts)}});
  return out;
}

void take_report(job& j, const json_object& r) {
  const auto text = [](const json& v) { return std::string(v.as_string()); };
  j.ended = static_cast<job_outcome>(r.at("ended").to_number<int>());
  j.result_json = text(r.at("result"));
  j.result_repr = text(r.at("repr"));
  const auto& problem = r.at("problem").as_object();
  j.problem = {text(problem.at("exc_type")), problem.at("exc_message").as_array(),
               text(problem.at("exc_module")), text(r.at("traceback"))};
  j.runtime_s = r.at("runtime").to_number<double>();
  j.document = text(r.at("document"));
  for (const auto& f : r.at("followers").as_array())
    j.followers.push_back({text(f.as_array()[0]), text(f.as_array()[1])});
  for (const auto& c : r.at("chords").as_array())
    j.follower_chords.emplace_back(text(c.as_array()[0]), text(c.as_array()[1]));
  for (const auto& e : r.at("events").as_array()) j.follower_events.push_back(text(e));
  for (const auto& m : r.at("more").as_array())
    j.more_results.emplace_back(text(m.as_array()[0]), text(m.as_array()[1]));
  for (const auto& p : r.at("parts").as_array()) {
    const auto& words = p.as_array();
    j.chord_parts.push_back(
        {text(words[0]), text(words[1]), text(words[2]), text(words[3]), text(words[4])});
  }
}

[[noreturn]] void child_main(app::impl& owner, int fd) {
  std::signal(SIGTERM, SIG_DFL);
  std::signal(SIGINT, SIG_IGN);  // Ctrl-C is for the worker
  std::signal(SIGCHLD, SIG_DFL);
  struct sigaction soft{};
  soft.sa_handler = on_soft_limit;
  sigaction(SIGUSR1, &soft, nullptr);
  child_host host(owner, fd);
  char kind = 0;
  std::string node, queue, envelope;
  // Per job: node, queue and envelope come in, the report goes out.
  while (read_frame(fd, kind, node) && read_frame(fd, kind, queue) &&
         read_frame(fd, kind, envelope)) {
    host.set_node(node);
    job j(host, std::move(envelope));
    j.m.queue = queue;
    const auto known = parse_envelope(j.m) ? owner.tasks.find(j.m.task) : owner.tasks.end();
    if (known == owner.tasks.end()) ::_exit(3);
    task_state state(known->second);
    j.task = &state;
    job_of_this_child = &j;
    run_job(j);
    job_of_this_child = nullptr;
    if (!write_frame(fd, 'd', report_of(j))) break;
  }
  ::_exit(0);
}

bool is_named(std::string_view list, std::string_view name) {
  while (!list.empty()) {
    const auto comma = std::min(list.find(','), list.size());
    if (glob_match(list.substr(0, comma), name)) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

// Removes all other variables. Their strings are overwritten too, because /proc/self/environ still
// shows them.
void keep_only(std::string_view names) {
  std::vector<std::pair<std::string, std::string>> kept;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const auto equals = text.find('=');
    if (equals != std::string_view::npos && is_named(names, text.substr(0, equals)))
      kept.emplace_back(text.substr(0, equals), text.substr(equals + 1));
    else
      ::explicit_bzero(*entry, text.size());
  }
  ::clearenv();
  for (const auto& [name, value] : kept) ::setenv(name.c_str(), value.c_str(), 1);
}

[[noreturn]] void fork_server_main(app::impl& owner, int fd) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  std::signal(SIGINT, SIG_IGN);
  std::signal(SIGCHLD, SIG_IGN);  // children are reaped by the kernel
  while (true) {
    const int for_child = receive_descriptor(fd);
    if (for_child < 0) ::_exit(0);
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::close(fd);
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      child_main(owner, for_child);
    }
    ::close(for_child);
    if (!write_all(fd, reinterpret_cast<const char*>(&pid), sizeof(pid))) ::_exit(0);
  }
}

}  // namespace

process_pool::process_pool(app::impl& owner, std::string_view environment) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
    throw failure(errc::internal, "no socket pair for the fork server");
  server_pid_ = ::fork();
  if (server_pid_ < 0) throw failure(errc::internal, "the fork server cannot be forked");
  if (server_pid_ == 0) {
    ::close(ends[0]);
    keep_only(environment);
    fork_server_main(owner, ends[1]);
  }
  ::close(ends[1]);
  server_ = ends[0];
}

process_pool::~process_pool() {
  const std::lock_guard lock(mutex_);
  for (const auto& c : idle_) ::close(c.socket);
  for (const auto& [j, c] : busy_) ::kill(c.pid, SIGKILL);
  ::close(server_);
  int status = 0;
  ::waitpid(server_pid_, &status, 0);
}

process_pool::child process_pool::take_child() {
  const std::lock_guard lock(mutex_);
  if (!idle_.empty()) {
    const auto c = idle_.back();
    idle_.pop_back();
    return c;
  }
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return {};
  child c{0, ends[0]};
  const bool forked = send_descriptor(server_, ends[1]) &&
                      read_all(server_, reinterpret_cast<char*>(&c.pid), sizeof(c.pid));
  ::close(ends[1]);
  if (!forked || c.pid <= 0) {
    ::close(ends[0]);
    return {};
  }
  return c;
}

void process_pool::give_back(child c) {
  const std::lock_guard lock(mutex_);
  idle_.push_back(c);
}

void process_pool::discard(child c) {
  if (c.pid > 0) ::kill(c.pid, SIGKILL);
  if (c.socket >= 0) ::close(c.socket);
}

void process_pool::kill(const job& j, int signal_number) {
  const std::lock_guard lock(mutex_);
  if (const auto found = busy_.find(&j); found != busy_.end())
    ::kill(found->second.pid, signal_number);
}

bool process_pool::run(job& j) {
  const auto c = take_child();
  if (c.pid <= 0)
    return settle_failed(
        j,
        make_failure("WorkerLostError", "no child process could be started", "billiard.exceptions"),
        job_outcome::failure);
  {
    const std::lock_guard lock(mutex_);
    busy_[&j] = c;
  }
  bool answered = false;
  std::string payload;
  char kind = 0;
  if (write_frame(c.socket, 'n', j.host.node()) && write_frame(c.socket, 'q', j.m.queue) &&
      write_frame(c.socket, 'e', j.m.raw)) {
    while (read_frame(c.socket, kind, payload)) {
      if (kind == 's') j.host.publish_state(j, payload);
      answered = kind == 'd';
      if (answered) break;
    }
  }
  {
    const std::lock_guard lock(mutex_);
    busy_.erase(&j);
  }
  if (!answered) {
    discard(c);
    return settle_failed(
        j,
        make_failure("WorkerLostError", fmt::format("the child process {} of the task died", c.pid),
                     "billiard.exceptions"),
        job_outcome::failure);
  }
  if (j.settled.exchange(true)) {
    // The loop settled the job and may have sent a signal that arrives later: do not reuse the
    // child.
    discard(c);
    return false;
  }
  try {
    const auto report = parse_json(payload);
    take_report(j, report.value().as_object());
  } catch (const std::exception& e) {
    discard(c);
    j.ended = job_outcome::failure;
    j.problem = make_failure("WorkerLostError", e.what(), "billiard.exceptions");
    return true;
  }
  give_back(c);
  return true;
}

}  // namespace skirmish::tasks
