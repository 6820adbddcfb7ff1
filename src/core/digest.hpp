// A short digest of a text: whether two are the same can be told without keeping both.
#pragma once

#include <string>
#include <string_view>

namespace skirmish {

// BLAKE2b-128 (RFC 7693) in 32 hex digits. Nobody finds two texts with the same one.
std::string digest_of(std::string_view text);

}  // namespace skirmish
