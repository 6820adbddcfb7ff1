#include "core/base64.hpp"

#include <array>
#include <cstdint>
#include <cstring>

namespace skirmish {
namespace {

constexpr char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// Two output characters for every 12 bits of input, so three bytes take two look-ups.
const auto& base64_pairs() {
  static const auto table = [] {
    std::array<std::array<char, 2>, 4096> pairs{};
    for (std::size_t i = 0; i < pairs.size(); ++i)
      pairs[i] = {base64_digits[i >> 6], base64_digits[i & 63]};
    return pairs;
  }();
  return table;
}

constexpr std::uint8_t not_base64 = 0xFF;

constexpr auto base64_values = [] {
  std::array<std::uint8_t, 256> table{};
  table.fill(not_base64);
  for (std::uint8_t i = 0; i < 64; ++i) table[static_cast<unsigned char>(base64_digits[i])] = i;
  return table;
}();

}  // namespace

void append_base64(std::string& out, std::string_view bytes) {
  const auto& pairs = base64_pairs();
  const auto start = out.size();
  out.resize(start + (bytes.size() + 2) / 3 * 4);
  char* to = out.data() + start;
  const auto* from = reinterpret_cast<const unsigned char*>(bytes.data());
  auto left = bytes.size();
  for (; left >= 3; left -= 3, from += 3, to += 4) {
    const unsigned group = (unsigned{from[0]} << 16) | (unsigned{from[1]} << 8) | from[2];
    std::memcpy(to, pairs[group >> 12].data(), 2);
    std::memcpy(to + 2, pairs[group & 4095].data(), 2);
  }
  if (left == 0) return;
  const unsigned group = (unsigned{from[0]} << 16) | (left == 2 ? unsigned{from[1]} << 8 : 0U);
  std::memcpy(to, pairs[group >> 12].data(), 2);
  to[2] = left == 2 ? base64_digits[(group >> 6) & 63] : '=';
  to[3] = '=';
}

bool decode_base64(std::string_view text, std::string& out) {
  out.clear();
  if (text.size() % 4 != 0) return false;
  if (text.empty()) return true;
  std::size_t padding = 0;
  if (text.back() == '=') padding = text[text.size() - 2] == '=' ? 2 : 1;
  out.resize(text.size() / 4 * 3);
  char* to = out.data();
  const auto* from = reinterpret_cast<const unsigned char*>(text.data());
  const auto* last = from + text.size() - 4;
  for (; from <= last; from += 4, to += 3) {
    const bool padded = from == last && padding > 0;
    const auto a = base64_values[from[0]];
    const auto b = base64_values[from[1]];
    const auto c = padded && padding == 2 ? std::uint8_t{0} : base64_values[from[2]];
    const auto d = padded ? std::uint8_t{0} : base64_values[from[3]];
    if ((a | b | c | d) & 0x80) return false;
    const unsigned group = (unsigned{a} << 18) | (unsigned{b} << 12) | (unsigned{c} << 6) | d;
    to[0] = static_cast<char>(group >> 16);
    to[1] = static_cast<char>((group >> 8) & 255);
    to[2] = static_cast<char>(group & 255);
  }
  out.erase(out.size() - padding);
  return true;
}

}  // namespace skirmish
