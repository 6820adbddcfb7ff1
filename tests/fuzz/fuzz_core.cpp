// The readers of core: URLs, percent-encoding, UTF-8, times, base64. What one of them accepts, the
// others agree with, and what is written can be read again.
#include "core/base64.hpp"
#include "core/clock.hpp"
#include "core/iso_time.hpp"
#include "core/parse.hpp"
#include "core/url.hpp"
#include "core/utf8.hpp"

#include <cstdint>
#include <cstdlib>

namespace {

using namespace skirmish;

void require(bool condition) {
  if (!condition) std::abort();
}

void read_url(std::string_view text) {
  if (const auto url = split_url(text)) {
    require(url->scheme.size() + 3 + url->authority.size() + url->target.size() == text.size());
    require(url->authority.find_first_of("/?") == std::string_view::npos);
    require(url->hosts.find('@') == std::string_view::npos);
    require(url->user_info.has_value() == (url->hosts.size() < url->authority.size()));
    require(url->path.empty() || url->path.front() == '/');
    static_cast<void>(split_host(url->hosts));
  }
  const auto host = split_host(text);
  require(host || !host.error().message.empty());
  const auto decoded = percent_decode(text, false);
  require(!decoded || decoded->size() <= text.size());
}

void read_utf8(std::string_view text) {
  bool is_valid = true;
  for (std::size_t pos = 0; pos < text.size();) {
    const auto here = utf8_character_at(text, pos);
    require(here.size_bytes > 0 && pos + here.size_bytes <= text.size());
    is_valid = is_valid && here.is_valid;
    pos += here.size_bytes;
  }
  require(is_valid == is_valid_utf8(text));
  for (const auto characters : {faulty::replaced, faulty::dropped}) {
    const auto clean = clean_text(text, 64, characters);
    require(clean.size() <= 64 && is_valid_utf8(clean));
    require(clean_text(clean, 64, characters) == clean);
  }
}

void read_time(std::string_view text) {
  const auto strict = parse_time(text, time_form::rfc3339);
  if (strict) require(parse_time(text, time_form::iso8601) == strict);
  if (const auto time = parse_rfc3339(text)) {
    require(strict.has_value());
    const auto year =
        std::chrono::year_month_day(std::chrono::floor<std::chrono::days>(*time)).year();
    // An offset may carry a time out of the years that can be written.
    if (year >= std::chrono::year{1} && year <= std::chrono::year{9999})
      require(parse_rfc3339(to_rfc3339(*time)) == time);
  }
}

void read_base64(std::string_view text) {
  std::string coded, back;
  append_base64(coded, text);
  require(decode_base64(coded, back) && back == text);
  static_cast<void>(decode_base64(text, back));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  read_url(text);
  read_utf8(text);
  read_time(text);
  read_base64(text);
  return 0;
}
