// Passwords as Argon2id hashes (RFC 9106), made and checked on threads of their own: one takes tens
// of milliseconds and 19 MiB, on purpose.
//
// The parameters are those that OWASP's Password Storage Cheat Sheet names first: 19 MiB, two
// passes, one lane. A hash carries its own, so older ones stay readable when these grow.
#pragma once

#include "core/asio.hpp"
#include "core/error.hpp"

#include <boost/asio/thread_pool.hpp>

#include <atomic>
#include <string>

namespace skirmish::sessions {

class password_hasher {
 public:
  // Hashes under way or waiting; more are refused with unavailable.
  static constexpr int waiting_limit = 64;

  explicit password_hasher(std::size_t threads);
  // Thread-safe. Call stop() after the callers' event loops have ended and before they are
  // destroyed.
  void stop();

  // The text to store. Throws unavailable when too many wait.
  awaitable<std::string> hash(std::string password);

  struct verdict {
    bool matches = false;
    bool is_outdated = false;  // made with smaller parameters: store a new one
  };
  // An empty `stored` never matches, and takes as long as one that could. Throws unavailable when
  // too many wait.
  awaitable<verdict> check(std::string stored, std::string password);

 private:
  template <class Work>
  auto on_pool(Work work) -> awaitable<std::invoke_result_t<Work>>;

  std::string decoy_;  // what an account without a password is compared with
  std::atomic<int> waiting_{0};
  asio::thread_pool pool_;
};

}  // namespace skirmish::sessions
