// Values for a script as one argument: a MessagePack array, which Lua reads by cmsgpack.unpack().
// One argument costs Redis far less than thousands.
// Format: https://github.com/msgpack/msgpack/blob/master/spec.md
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace skirmish::interactions {

class packed_values {
 public:
  packed_values();

  void add(std::string_view text);
  void add(std::int64_t number);
  // The finished array.
  [[nodiscard]] std::string take();

 private:
  void put(std::uint64_t number, int bytes);

  std::string out_;
  std::uint32_t count_ = 0;
};

}  // namespace skirmish::interactions
