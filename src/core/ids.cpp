#include "core/ids.hpp"

#include "core/digest.hpp"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <vector>

namespace skirmish {
namespace {}  // namespace

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
  randombytes_buf(b.data(), b.size());
  b[6] = static_cast<unsigned char>((b[6] & 0x0F) | 0x40);
  b[8] = static_cast<unsigned char>((b[8] & 0x3F) | 0x80);
  auto text = to_hex(b);
  for (const std::size_t at : {20U, 16U, 12U, 8U}) text.insert(at, 1, '-');
  return text;
}

}  // namespace skirmish
