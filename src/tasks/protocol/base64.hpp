// Base64 (RFC 4648, padded), made for the hot path.
#pragma once

#include <string>
#include <string_view>

namespace skirmish::tasks {

void append_base64(std::string& out, std::string_view bytes);
// Replaces `out`. False when `text` is not base64; white space is not skipped.
bool decode_base64(std::string_view text, std::string& out);

}  // namespace skirmish::tasks
