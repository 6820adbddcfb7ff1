// What a parsed match log becomes on the wire.
#pragma once

#include "ingest/frames.hpp"

#include <cstdint>
#include <string>

namespace skirmish::cli {

struct encoded_frame {
  std::uint64_t seq = 0;
  std::uint64_t events = 0;
  std::string text;  // the WebSocket message
};

encoded_frame encode(const ingest::frame& f);

}  // namespace skirmish::cli
