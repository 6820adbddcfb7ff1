// A connected pair of sockets on one thread: the subject has one end, the fuzzer feeds the other in
// pieces and takes what comes back.
#pragma once

#include "core/asio.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>

namespace skirmish {

inline void require(bool condition) {
  if (!condition) std::abort();
}

class fed_socket {
 public:
  explicit fed_socket(asio::io_context& io) : io_(io), near_(io) {
    int ends[2];
    require(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    near_.assign(asio::ip::tcp::v4(), ends[0]);
    far_ = ends[1];
    ::fcntl(far_, F_SETFL, O_NONBLOCK);
  }
  ~fed_socket() { ::close(far_); }
  fed_socket(const fed_socket&) = delete;
  fed_socket& operator=(const fed_socket&) = delete;

  // Runs `subject` with its end until it has ended, and returns what it sent. It must end once the
  // input has.
  std::string feed(std::string_view bytes, std::size_t piece_bytes,
                   std::function<awaitable<void>(asio::ip::tcp::socket)> subject) {
    bool has_ended = false;
    auto work = [&]() { return subject(std::move(near_)); };
    asio::co_spawn(io_, work, [&](const std::exception_ptr& problem) {
      require(!problem);
      has_ended = true;
    });
    std::string sent;
    bool is_open = true;
    for (int turns = 0; !has_ended; ++turns) {
      require(turns < 1'000'000);
      if (is_open && !bytes.empty()) {
        const auto piece = bytes.substr(0, piece_bytes);
        const auto taken = ::send(far_, piece.data(), piece.size(), MSG_NOSIGNAL);
        if (taken > 0) bytes.remove_prefix(static_cast<std::size_t>(taken));
        if (taken < 0 && errno != EAGAIN) is_open = false;
      } else if (is_open) {
        ::shutdown(far_, SHUT_WR);
        is_open = false;
      }
      io_.restart();
      io_.poll();
      take(sent);
    }
    io_.restart();
    io_.poll();
    take(sent);
    return sent;
  }

 private:
  void take(std::string& sent) const {
    char buffer[65536];
    for (ssize_t got = 0; (got = ::recv(far_, buffer, sizeof buffer, 0)) > 0;)
      sent.append(buffer, static_cast<std::size_t>(got));
  }

  asio::io_context& io_;
  asio::ip::tcp::socket near_;
  int far_ = -1;
};

}  // namespace skirmish
