#include "interactions/attack_dump.hpp"

#include <array>
#include <cstring>

namespace skirmish::interactions {
namespace {

constexpr std::uint64_t polynomial = 0x95ac9329ac4bc9b5;  // 0xad93d23594c935a9 reflected

// Eight tables, so that eight bytes are taken in one step ("slicing-by-8").
constexpr auto make_tables() {
  std::array<std::array<std::uint64_t, 256>, 8> tables{};
  for (std::uint64_t n = 0; n < 256; ++n) {
    auto crc = n;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? crc >> 1 ^ polynomial : crc >> 1;
    tables[0][n] = crc;
  }
  for (std::size_t k = 1; k < 8; ++k)
    for (std::size_t n = 0; n < 256; ++n)
      tables[k][n] = tables[0][tables[k - 1][n] & 0xFF] ^ tables[k - 1][n] >> 8;
  return tables;
}

constexpr auto tables = make_tables();

constexpr char hash_listpack = 16;  // the type's number in a dump
constexpr char dump_version = 10;

// An entry: a string of up to 63 bytes, or of up to 4,095; then the entry's length for the way
// back.
void add_entry(std::string& out, std::string_view text) {
  std::size_t header = 1;
  if (text.size() < 64) {
    out += static_cast<char>(0x80U | text.size());
  } else {
    out += static_cast<char>(0xE0U | text.size() >> 8);
    out += static_cast<char>(text.size() & 0xFF);
    header = 2;
  }
  out += text;
  const auto back = header + text.size();
  if (back < 128) {
    out += static_cast<char>(back);
  } else {
    out += static_cast<char>(back >> 7);
    out += static_cast<char>((back & 0x7F) | 0x80);
  }
}

}  // namespace

std::uint64_t crc64(std::string_view bytes) {
  std::uint64_t crc = 0;
  const char* p = bytes.data();
  auto left = bytes.size();
  for (; left >= 8; left -= 8, p += 8) {
    std::uint64_t block = 0;
    std::memcpy(&block, p, 8);
    crc ^= block;
    crc = tables[7][crc & 0xFF] ^ tables[6][crc >> 8 & 0xFF] ^ tables[5][crc >> 16 & 0xFF] ^
          tables[4][crc >> 24 & 0xFF] ^ tables[3][crc >> 32 & 0xFF] ^ tables[2][crc >> 40 & 0xFF] ^
          tables[1][crc >> 48 & 0xFF] ^ tables[0][crc >> 56];
  }
  for (; left > 0; --left, ++p)
    crc = tables[0][(crc ^ static_cast<unsigned char>(*p)) & 0xFF] ^ crc >> 8;
  return crc;
}

void dump_attack(std::string& out, std::string_view id, std::string_view damage,
                 std::string_view ts) {
  constexpr std::size_t listpack_header = 6;
  constexpr std::size_t length_bytes = 2;  // of the listpack, as the dump writes lengths below 2^14
  out.clear();
  out += hash_listpack;
  out.append(length_bytes + listpack_header, '\0');
  for (const auto text :
       {std::string_view("id"), id, std::string_view("damage"), damage, std::string_view("ts"), ts})
    add_entry(out, text);
  out += '\xFF';
  const auto size = out.size() - 1 - length_bytes;
  out[1] = static_cast<char>(0x40U | size >> 8);
  out[2] = static_cast<char>(size & 0xFF);
  out[3] = static_cast<char>(size & 0xFF);
  out[4] = static_cast<char>(size >> 8);
  out[7] = 6;  // entries
  out += dump_version;
  out += '\0';
  const auto crc = crc64(out);
  for (int i = 0; i < 8; ++i) out += static_cast<char>(crc >> (8 * i) & 0xFF);
}

}  // namespace skirmish::interactions
