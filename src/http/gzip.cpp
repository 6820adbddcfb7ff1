#include "http/gzip.hpp"

#include "core/comma_list.hpp"

#include <zlib.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <stdexcept>

namespace skirmish::http {
namespace {

// True for "q=0", "q=0.0" and so on.
bool is_refused(std::string_view parameters) {
  const auto q = trimmed(parameters);
  if (!q.starts_with("q=") && !q.starts_with("Q=")) return false;
  const auto weight = q.substr(2);
  return !weight.empty() && weight.find_first_not_of("0.") == std::string_view::npos;
}

}  // namespace

std::string gzip(std::string_view text) {
  constexpr int window_bits_gzip = 15 + 16;
  z_stream stream{};
  if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, window_bits_gzip, 8,
                   Z_DEFAULT_STRATEGY) != Z_OK)
    throw std::runtime_error("zlib cannot start");
  std::string out(deflateBound(&stream, text.size()), '\0');
  // zlib's interface is not const-correct; it does not write to the input.
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int outcome = deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  if (outcome != Z_STREAM_END) throw std::runtime_error("zlib did not finish");
  return out;
}

std::string gunzip(std::string_view packed) {
  constexpr int window_bits_gzip = 15 + 16;
  z_stream stream{};
  if (inflateInit2(&stream, window_bits_gzip) != Z_OK)
    throw std::runtime_error("zlib cannot start");
  std::string out;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  int outcome = Z_OK;
  while (outcome == Z_OK) {
    constexpr std::size_t step_bytes = 65'536;
    out.resize(stream.total_out + step_bytes);
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + stream.total_out);
    stream.avail_out = step_bytes;
    outcome = inflate(&stream, Z_NO_FLUSH);
  }
  out.resize(stream.total_out);
  inflateEnd(&stream);
  if (outcome != Z_STREAM_END) throw std::runtime_error("this is not gzip");
  return out;
}

bool accepts_gzip(std::string_view accept_encoding) {
  std::optional<bool> any;
  while (!accept_encoding.empty()) {
    const auto item = take_item(accept_encoding);
    const auto semicolon = std::min(item.find(';'), item.size());
    const auto coding = trimmed(item.substr(0, semicolon));
    const bool is_taken = !is_refused(item.substr(std::min(semicolon + 1, item.size())));
    if (coding == "gzip" || coding == "x-gzip" || coding == "GZIP") return is_taken;
    if (coding == "*") any = is_taken;
  }
  return any.value_or(false);
}

bool matches_etag(std::string_view if_none_match, std::string_view etag) {
  const auto opaque = [](std::string_view tag) {
    return tag.substr(tag.starts_with("W/") ? 2 : 0);
  };
  while (!if_none_match.empty()) {
    const auto item = take_item(if_none_match);
    if (item == "*" || (!item.empty() && opaque(item) == opaque(etag))) return true;
  }
  return false;
}

}  // namespace skirmish::http
