#include "status/observation.hpp"

#include "core/utf8.hpp"

namespace skirmish::status {

std::string clean_text(std::string_view text, std::size_t limit_bytes) {
  return skirmish::clean_text(text, limit_bytes, faulty::dropped);
}

}  // namespace skirmish::status
