#include "sessions/password_hasher.hpp"

#include <boost/asio/co_spawn.hpp>
#include <sodium.h>

#include <array>

namespace skirmish::sessions {
namespace {

constexpr unsigned long long passes = 2;
constexpr std::size_t memory_bytes = 19'456 * 1024;

// Empty when there is no memory for it.
std::string argon2id(const std::string& password) {
  std::array<char, crypto_pwhash_STRBYTES> out{};
  const auto failed = crypto_pwhash_str_alg(out.data(), password.data(), password.size(), passes,
                                            memory_bytes, crypto_pwhash_ALG_ARGON2ID13);
  return failed != 0 ? std::string() : std::string(out.data());
}

// Counts one that waits, while it lives.
struct admission {
  explicit admission(std::atomic<int>& waiting) : waiting_(waiting) { ++waiting_; }
  ~admission() { --waiting_; }
  admission(const admission&) = delete;
  admission& operator=(const admission&) = delete;

 private:
  std::atomic<int>& waiting_;
};

}  // namespace

password_hasher::password_hasher(std::size_t threads)
    : decoy_(argon2id("no player has this password")), pool_(threads) {}

void password_hasher::stop() {
  pool_.stop();
  pool_.join();
}

template <class Work>
auto password_hasher::on_pool(Work work) -> awaitable<std::invoke_result_t<Work>> {
  if (waiting_ >= waiting_limit) throw failure(errc::unavailable, "too many passwords to check");
  const admission counted(waiting_);
  auto there = [work = std::move(work)]() -> awaitable<std::invoke_result_t<Work>> {
    co_return work();
  };
  co_return co_await asio::co_spawn(pool_, std::move(there), use_awaitable);
}

awaitable<std::string> password_hasher::hash(std::string password) {
  auto work = [password = std::move(password)] { return argon2id(password); };
  auto made = co_await on_pool(std::move(work));
  if (made.empty()) throw failure(errc::unavailable, "no memory to hash a password");
  co_return made;
}

awaitable<password_hasher::verdict> password_hasher::check(std::string stored,
                                                           std::string password) {
  const bool has_any = !stored.empty();
  auto work = [against = has_any ? std::move(stored) : decoy_, password = std::move(password)] {
    verdict out;
    out.matches = crypto_pwhash_str_verify(against.c_str(), password.data(), password.size()) == 0;
    out.is_outdated = crypto_pwhash_str_needs_rehash(against.c_str(), passes, memory_bytes) != 0;
    return out;
  };
  auto found = co_await on_pool(std::move(work));
  found.matches = found.matches && has_any;
  co_return found;
}

}  // namespace skirmish::sessions
