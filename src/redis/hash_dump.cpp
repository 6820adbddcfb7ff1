#include "redis/hash_dump.hpp"

#include "core/parse.hpp"

#include <array>
#include <cstring>
#include <optional>

namespace skirmish::redis {
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

void add_bytes(std::string& out, std::uint64_t value, int count) {
  for (int i = 0; i < count; ++i) out += static_cast<char>(value >> (8 * i) & 0xFF);
}

// As Redis itself: numbers that are written like one are stored as one.
std::optional<std::int64_t> as_stored_number(std::string_view text) {
  if (text.empty() || text.size() > 19) return std::nullopt;
  const bool is_canonical = text == "0" || (text[0] >= '1' && text[0] <= '9') ||
                            (text.size() > 1 && text[0] == '-' && text[1] >= '1');
  return is_canonical ? parse_integer(text) : std::nullopt;
}

void add_number(std::string& out, std::int64_t n) {
  const auto bits = static_cast<std::uint64_t>(n);
  const auto fits = [n](int size) {
    return n >= -(std::int64_t{1} << (size - 1)) && n < std::int64_t{1} << (size - 1);
  };
  if (n >= 0 && n < 128) {
    out += static_cast<char>(n);
  } else if (fits(13)) {
    out += static_cast<char>(0xC0U | (bits >> 8 & 0x1F));
    out += static_cast<char>(bits & 0xFF);
  } else if (fits(16)) {
    out += '\xF1';
    add_bytes(out, bits, 2);
  } else if (fits(24)) {
    out += '\xF2';
    add_bytes(out, bits, 3);
  } else if (fits(32)) {
    out += '\xF3';
    add_bytes(out, bits, 4);
  } else {
    out += '\xF4';
    add_bytes(out, bits, 8);
  }
}

// The entry, then its length for the way back.
void add_entry(std::string& out, std::string_view text) {
  const auto start = out.size();
  if (const auto number = as_stored_number(text)) {
    add_number(out, *number);
  } else if (text.size() < 64) {
    out += static_cast<char>(0x80U | text.size());
    out += text;
  } else {
    out += static_cast<char>(0xE0U | text.size() >> 8);
    out += static_cast<char>(text.size() & 0xFF);
    out += text;
  }
  const auto length = out.size() - start;
  if (length >= 128) out += static_cast<char>(length >> 7);
  out += static_cast<char>(length < 128 ? length : (length & 0x7F) | 0x80);
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

void dump_hash(std::string& out, std::span<const std::string_view> fields_and_values) {
  constexpr std::size_t room = 3;  // the type, and the length of the listpack in one byte or two
  constexpr std::size_t listpack_header = 6;
  out.assign(room + listpack_header, '\0');
  for (const auto text : fields_and_values) add_entry(out, text);
  out += '\xFF';
  const auto size = out.size() - room;
  out[room] = static_cast<char>(size & 0xFF);
  out[room + 1] = static_cast<char>(size >> 8);
  out[room + 4] = static_cast<char>(fields_and_values.size());
  if (size < 64) {
    out.erase(0, 1);
    out[1] = static_cast<char>(size);
  } else {
    out[1] = static_cast<char>(0x40U | size >> 8);
    out[2] = static_cast<char>(size & 0xFF);
  }
  out[0] = hash_listpack;
  add_bytes(out, dump_version, 2);
  add_bytes(out, crc64(out), 8);
}

}  // namespace skirmish::redis
