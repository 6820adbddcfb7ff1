#include "tasks/protocol/uuid.hpp"

#include <sodium.h>

#include <array>
#include <cstring>

namespace skirmish::tasks {
namespace {

void append_hex_byte(std::string& out, unsigned char byte) {
  constexpr char digits[] = "0123456789abcdef";
  out += digits[byte >> 4];
  out += digits[byte & 15];
}

void fill_random(unsigned char* to, std::size_t count) {
  struct pool {
    std::array<unsigned char, 4096> bytes;
    std::size_t used = sizeof(bytes);
  };
  thread_local pool p;
  if (p.used + count > p.bytes.size()) {
    randombytes_buf(p.bytes.data(), p.bytes.size());
    p.used = 0;
  }
  std::memcpy(to, p.bytes.data() + p.used, count);
  // Bytes that were handed out do not stay in memory.
  std::memset(p.bytes.data() + p.used, 0, count);
  p.used += count;
}

}  // namespace

std::string new_uuid() {
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

}  // namespace skirmish::tasks
