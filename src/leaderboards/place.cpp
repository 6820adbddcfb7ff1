#include "leaderboards/place.hpp"

#include "core/ids.hpp"

#include <sodium.h>

#include <bit>

namespace skirmish::leaderboards {
namespace {

std::uint64_t big_endian(std::string_view bytes) {
  std::uint64_t n = 0;
  for (const char c : bytes.substr(0, 8)) n = n << 8 | static_cast<unsigned char>(c);
  return n;
}

// The inverse of board.lua's sortable().
double read_number(std::string_view bytes, bool best_is_high) {
  constexpr std::uint64_t sign = std::uint64_t{1} << 63;
  auto bits = big_endian(bytes);
  if (best_is_high) bits = ~bits;
  bits = (bits & sign) != 0 ? bits & ~sign : ~bits;
  return std::bit_cast<double>(bits);
}

std::string text_of(std::uint64_t bits) {
  std::string out(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) out[i] = static_cast<char>(bits >> (56 - 8 * i) & 0xff);
  return out;
}

std::string sortable(double number, bool best_is_high) {
  constexpr std::uint64_t sign = std::uint64_t{1} << 63;
  auto bits = std::bit_cast<std::uint64_t>(number + 0.0);  // no negative zero
  bits = (bits & sign) != 0 ? ~bits : bits | sign;
  return text_of(best_is_high ? ~bits : bits);
}

}  // namespace

std::string sortable_pair(double score, double subscore, bool best_is_high) {
  return sortable(score, best_is_high) + sortable(subscore, best_is_high);
}

std::string sortable_seq(std::uint64_t seq) { return text_of(seq); }

place read_place(std::string_view text, bool best_is_high) {
  return {read_number(text, best_is_high), read_number(text.substr(8), best_is_high),
          big_endian(text.substr(16)), text.substr(place_bytes)};
}

bool is_tie(std::string_view a, std::string_view b) { return a.substr(0, 16) == b.substr(0, 16); }

std::string to_text(const cursor& c) {
  const auto raw = (c.to == direction::after ? "a" : "b") + c.entry;
  std::string out(sodium_base64_encoded_len(raw.size(), sodium_base64_VARIANT_URLSAFE_NO_PADDING),
                  '\0');
  sodium_bin2base64(out.data(), out.size(), reinterpret_cast<const unsigned char*>(raw.data()),
                    raw.size(), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
  out.pop_back();  // the terminating zero
  return out;
}

std::optional<cursor> parse_cursor(std::string_view text) {
  std::string raw(1 + place_bytes + id_max_bytes, '\0');
  std::size_t size = 0;
  const char* end = nullptr;
  const auto broken = sodium_base642bin(reinterpret_cast<unsigned char*>(raw.data()), raw.size(),
                                        text.data(), text.size(), nullptr, &size, &end,
                                        sodium_base64_VARIANT_URLSAFE_NO_PADDING);
  if (broken != 0 || end != text.data() + text.size() || size <= 1 + place_bytes)
    return std::nullopt;
  raw.resize(size);
  if (raw[0] != 'a' && raw[0] != 'b') return std::nullopt;
  if (!is_valid_id(std::string_view(raw).substr(1 + place_bytes))) return std::nullopt;
  return cursor{raw[0] == 'a' ? direction::after : direction::before, raw.substr(1)};
}

}  // namespace skirmish::leaderboards
