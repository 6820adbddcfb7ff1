#include "db/session.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <soci/soci.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

namespace skirmish::db {
namespace {

// Lets the kernel notice within about a minute that the other end of an idle connection is gone,
// and within the limit that it no longer takes what we send. On Unix sockets these calls fail, and
// nothing is lost.
void watch_peer(int descriptor, std::chrono::milliseconds limit) {
  const int on = 1;
  const int idle_s = 30;
  const int interval_s = 10;
  const int probes = 3;
  const auto unanswered_ms = static_cast<unsigned>(limit.count());
  ::setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, &unanswered_ms, sizeof unanswered_ms);
}

}  // namespace

session::session(const db::config& config) : config_(config), backend_(backend_for(config.kind)) {}

session::~session() { close(); }

bool session::is_usable() const {
  if (!session_) return false;
  if (descriptor_ < 0) return true;
  // The client library closes its own descriptor when it meets the end of the connection.
  if (backend_.descriptor(*session_) < 0) return false;
  // An idle server has nothing to say, so anything readable is its farewell or the end of the
  // stream.
  pollfd waiting{descriptor_, POLLIN, 0};
  return ::poll(&waiting, 1, 0) == 0;
}

bool session::is_open() const {
  const std::lock_guard lock(mutex_);
  return is_open_;
}

void session::open() {
  session_ = std::make_unique<soci::session>();
  try {
    backend_.connect(*session_, config_);
    const int theirs = backend_.descriptor(*session_);
    {
      const std::lock_guard lock(mutex_);
      is_open_ = true;
      if (theirs >= 0) descriptor_ = ::fcntl(theirs, F_DUPFD_CLOEXEC, 0);
    }
    if (theirs >= 0) watch_peer(theirs, config_.work_limit());
    backend_.prepare(*session_, config_);
  } catch (...) {
    close();
    throw;
  }
}

void session::close() noexcept {
  {
    const std::lock_guard lock(mutex_);
    is_open_ = false;
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = -1;
  }
  session_.reset();
}

void session::start(time_point limit) {
  const std::lock_guard lock(mutex_);
  was_cut_ = false;
  limit_ = limit;
}

void session::finish() {
  const std::lock_guard lock(mutex_);
  limit_ = time_point::max();
}

bool session::was_cut() const {
  const std::lock_guard lock(mutex_);
  return was_cut_;
}

session::time_point session::cut_if_late(time_point now) {
  const std::lock_guard lock(mutex_);
  if (now < limit_) return limit_;
  // While it connects there is nothing to cut; the connect timeout bounds that.
  if (!is_open_) return now + std::chrono::milliseconds{100};
  was_cut_ = true;
  if (descriptor_ >= 0)
    ::shutdown(descriptor_, SHUT_RDWR);
  else
    backend_.interrupt(*session_);
  limit_ = time_point::max();
  return limit_;
}

void session::hasten(time_point limit) {
  const std::lock_guard lock(mutex_);
  if (limit_ != time_point::max()) limit_ = std::min(limit_, limit);
}

bool session::end_transaction() {
  if (!session_ || !backend_.in_transaction(*session_)) return false;
  session_->rollback();
  return true;
}

}  // namespace skirmish::db
