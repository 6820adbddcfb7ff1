#include "interactions/packed_values.hpp"

#include <utility>

namespace skirmish::interactions {
namespace {

constexpr char array32 = '\xdd';
constexpr char int64_mark = '\xd3';
constexpr char str8 = '\xd9';
constexpr char str16 = '\xda';
constexpr char str32 = '\xdb';

void put_at(char* to, std::uint32_t number) {
  for (int i = 0; i < 4; ++i) to[i] = static_cast<char>(number >> (24 - 8 * i) & 0xFF);
}

}  // namespace

packed_values::packed_values() : out_{array32, 0, 0, 0, 0} {}

void packed_values::put(std::uint64_t number, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) out_ += static_cast<char>(number >> (8 * i) & 0xFF);
}

void packed_values::add(std::string_view text) {
  ++count_;
  const auto size = text.size();
  if (size < 32) {
    out_ += static_cast<char>(0xA0U | size);
  } else if (size <= 0xFF) {
    out_ += str8;
    put(size, 1);
  } else if (size <= 0xFFFF) {
    out_ += str16;
    put(size, 2);
  } else {
    out_ += str32;
    put(size, 4);
  }
  out_ += text;
}

void packed_values::add(std::int64_t number) {
  ++count_;
  if (number >= 0 && number < 128) {
    out_ += static_cast<char>(number);
  } else {
    out_ += int64_mark;
    put(static_cast<std::uint64_t>(number), 8);
  }
}

std::string packed_values::take() {
  put_at(out_.data() + 1, count_);
  return std::move(out_);
}

}  // namespace skirmish::interactions
