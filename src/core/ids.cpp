#include "core/ids.hpp"

#include "core/digest.hpp"

#include <pthread.h>
#include <sodium.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <vector>

namespace skirmish {
namespace {

// How many forks lie between this process and its first ancestor. A child must not hand out the
// random bytes that its parent drew, or all children would make the same ids.
std::atomic<unsigned> forks{0};
[[maybe_unused]] const int fork_handler = ::pthread_atfork(nullptr, nullptr, [] { ++forks; });

void fill_random(unsigned char* to, std::size_t count) {
  struct pool {
    std::array<unsigned char, 4096> bytes;
    std::size_t used = sizeof(bytes);
    unsigned forks = 0;
  };
  thread_local pool p;
  const auto now = forks.load(std::memory_order_relaxed);
  if (p.used + count > p.bytes.size() || p.forks != now) {
    randombytes_buf(p.bytes.data(), p.bytes.size());
    p.used = 0;
    p.forks = now;
  }
  std::memcpy(to, p.bytes.data() + p.used, count);
  // Bytes that were handed out do not stay in memory.
  std::memset(p.bytes.data() + p.used, 0, count);
  p.used += count;
}

void append_hex_byte(std::string& out, unsigned char byte) {
  constexpr char digits[] = "0123456789abcdef";
  out += digits[byte >> 4];
  out += digits[byte & 15];
}

}  // namespace

bool is_valid_id(std::string_view id) noexcept {
  static constexpr auto allowed = [] {
    std::array<bool, 256> table{};
    for (int c = '0'; c <= '9'; ++c) table[static_cast<std::size_t>(c)] = true;
    for (int c = 'a'; c <= 'z'; ++c) table[static_cast<std::size_t>(c)] = true;
    for (int c = 'A'; c <= 'Z'; ++c) table[static_cast<std::size_t>(c)] = true;
    for (const unsigned char c : {'_', '.', ':', '-'}) table[c] = true;
    return table;
  }();
  return !id.empty() && id.size() <= id_max_bytes &&
         std::all_of(id.begin(), id.end(), [](unsigned char c) { return allowed[c]; });
}

std::string random_hex(std::size_t bytes) {
  std::vector<unsigned char> buffer(bytes);
  randombytes_buf(buffer.data(), buffer.size());
  return to_hex(buffer);
}

std::string random_uuid() {
  std::array<unsigned char, 16> b{};
  fill_random(b.data(), b.size());
  b[6] = static_cast<unsigned char>((b[6] & 0x0F) | 0x40);
  b[8] = static_cast<unsigned char>((b[8] & 0x3F) | 0x80);
  std::string out;
  out.reserve(36);
  for (std::size_t i = 0; i < b.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out += '-';
    append_hex_byte(out, b[i]);
  }
  return out;
}

std::string sortable_id(timestamp now) {
  struct last_one {
    std::int64_t ms = -1;
    std::uint64_t high = 0;  // 16 bits of the 80 that are random at first, and then count
    std::uint64_t low = 0;
    unsigned forks = 0;
  };
  thread_local last_one last;
  const auto now_ms = std::int64_t{now.time_since_epoch().count()};
  const auto now_forks = forks.load(std::memory_order_relaxed);
  if (now_ms > last.ms || now_forks != last.forks) {
    std::array<unsigned char, 10> random{};
    fill_random(random.data(), random.size());
    last.ms = std::max(now_ms, last.ms);
    last.forks = now_forks;
    last.high = std::uint64_t{random[8]} << 8 | random[9];
    std::memcpy(&last.low, random.data(), sizeof(last.low));
  } else if (++last.low == 0) {
    ++last.high;
  }
  constexpr char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";  // Crockford's base 32
  std::string out(26, '0');
  auto ms = static_cast<std::uint64_t>(last.ms);
  for (std::size_t i = 10; i-- > 0; ms >>= 5) out[i] = digits[ms & 31];
  auto high = last.high;
  auto low = last.low;
  for (std::size_t i = 26; i-- > 10;) {
    out[i] = digits[low & 31];
    low = low >> 5 | high << 59;
    high >>= 5;
  }
  return out;
}

}  // namespace skirmish
