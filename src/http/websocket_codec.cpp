#include "http/websocket_codec.hpp"

#include "core/parse.hpp"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace skirmish::http::ws {
namespace {

void apply_mask(char* data, std::size_t size, std::uint32_t key) {
  std::uint64_t wide = 0;
  std::memcpy(&wide, &key, 4);
  std::memcpy(reinterpret_cast<char*>(&wide) + 4, &key, 4);
  std::size_t i = 0;
  for (; i + 8 <= size; i += 8) {
    std::uint64_t block = 0;
    std::memcpy(&block, data + i, 8);
    block ^= wide;
    std::memcpy(data + i, &block, 8);
  }
  const auto* bytes = reinterpret_cast<const char*>(&key);
  for (std::size_t k = 0; i < size; ++i, ++k) data[i] = static_cast<char>(data[i] ^ bytes[k & 3]);
}

std::uint64_t read_big_endian(const char* p, std::size_t bytes) {
  std::uint64_t out = 0;
  for (std::size_t i = 0; i < bytes; ++i) out = out << 8 | static_cast<unsigned char>(p[i]);
  return out;
}

bool is_known(std::uint8_t op) { return op <= 2 || (op >= 8 && op <= 10); }

void encode_header(std::string& out, opcode op, std::size_t size, bool masked) {
  const char mask_bit = masked ? '\x80' : '\0';
  out += static_cast<char>(0x80U | static_cast<unsigned>(op));
  const auto put = [&](std::size_t bytes) {
    for (std::size_t i = bytes; i-- > 0;) out += static_cast<char>(size >> (8 * i) & 0xFF);
  };
  if (size < 126) {
    out += static_cast<char>(mask_bit | static_cast<char>(size));
  } else if (size <= 0xFFFF) {
    out += static_cast<char>(mask_bit | 126);
    put(2);
  } else {
    out += static_cast<char>(mask_bit | 127);
    put(8);
  }
}

}  // namespace

decoded decode(std::span<char> buffer, bool masked, std::size_t limit_bytes) {
  decoded out;
  if (buffer.size() < 2) return out;
  const auto first = static_cast<unsigned char>(buffer[0]);
  const auto second = static_cast<unsigned char>(buffer[1]);
  const auto op = static_cast<std::uint8_t>(first & 0x0F);
  const bool final = (first & 0x80) != 0;
  const bool control = op >= 8;
  std::uint64_t size = second & 0x7F;
  const bool bad = (first & 0x70) != 0 || !is_known(op) || ((second & 0x80) != 0) != masked ||
                   (control && (!final || size > 125));
  if (bad) {
    out.status = decode_status::protocol_error;
    return out;
  }
  std::size_t header = 2;
  const std::size_t extended = size == 126 ? 2 : size == 127 ? 8 : 0;
  if (extended != 0) {
    if (buffer.size() < header + extended) return out;
    size = read_big_endian(&buffer[header], extended);
    header += extended;
    // The shortest form must be used, and the highest bit is zero (RFC 6455, section 5.2).
    if (size < (extended == 2 ? 126U : 65'536U) || size >> 63 != 0) {
      out.status = decode_status::protocol_error;
      return out;
    }
  }
  if (size > limit_bytes) {
    out.status = decode_status::too_big;
    return out;
  }
  if (masked) header += 4;
  if (buffer.size() < header + size) return out;
  char* payload = buffer.data() + header;
  if (masked) {
    std::uint32_t key = 0;
    std::memcpy(&key, payload - 4, 4);
    apply_mask(payload, size, key);
  }
  out.status = decode_status::frame;
  out.consumed = header + size;
  out.value = {static_cast<opcode>(op), final, std::string_view(payload, size)};
  return out;
}

void encode(std::string& out, opcode op, std::string_view payload) {
  encode_header(out, op, payload.size(), false);
  out += payload;
}

void encode_masked(std::string& out, opcode op, std::string_view payload, std::uint32_t key) {
  encode_header(out, op, payload.size(), true);
  const auto at = out.size();
  out.append(reinterpret_cast<const char*>(&key), 4);
  out += payload;
  apply_mask(out.data() + at + 4, payload.size(), key);
}

std::optional<std::uint16_t> check_close_payload(std::string_view payload) noexcept {
  if (payload.empty()) return std::nullopt;
  if (payload.size() == 1) return close_code::protocol_error;
  const auto code = read_big_endian(payload.data(), 2);
  // 1004 to 1006 and 1015 are never sent; 1016 to 2999 are not defined yet.
  const bool is_standard = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
  if (!is_standard && (code < 3000 || code > 4999)) return close_code::protocol_error;
  if (!is_valid_utf8(payload.substr(2))) return close_code::bad_data;
  return std::nullopt;
}

std::string close_payload(std::uint16_t code, std::string_view reason) {
  std::string out{static_cast<char>(code >> 8), static_cast<char>(code & 0xFF)};
  auto end = std::min(reason.size(), std::size_t{123});
  while (!is_valid_utf8(reason.substr(0, end))) --end;
  out += reason.substr(0, end);
  return out;
}

std::string accept_key(std::string_view key) {
  const auto text = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  std::array<unsigned char, 4 * ((SHA_DIGEST_LENGTH + 2) / 3) + 1> encoded{};
  const int length = EVP_EncodeBlock(encoded.data(), digest.data(), SHA_DIGEST_LENGTH);
  return {reinterpret_cast<const char*>(encoded.data()), static_cast<std::size_t>(length)};
}

}  // namespace skirmish::http::ws
