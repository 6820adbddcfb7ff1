#include "ingest/ingest.hpp"

#include "ingest/quake3_log.hpp"
#include "ingest/source_log.hpp"
#include "ingest/xonotic_log.hpp"

#include <algorithm>
#include <array>

namespace skirmish::ingest {
namespace {

constexpr std::size_t feed_limit_bytes = 1 << 20;
constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
constexpr std::array formats{format::source, format::quake3, format::xonotic};
constexpr std::string_view padding{" \t\0", 3};

std::string_view trimmed(std::string_view line) {
  const auto first = line.find_first_not_of(padding);
  if (first == std::string_view::npos) return {};
  return line.substr(first, line.find_last_not_of(padding) - first + 1);
}

// Lines with something in them that the format understands.
std::uint64_t understood_lines(format f, std::string_view head) {
  const auto parser = make_parser(f, geo_origin{});
  std::vector<log_event> events;
  while (!head.empty()) {
    head.remove_prefix(parser->feed(head, events));
    events.clear();
  }
  parser->finish(events);
  return parser->counted().lines - parser->counted().unknown_lines;
}

}  // namespace

std::string_view to_string(format f) noexcept {
  switch (f) {
    case format::source: return "source";
    case format::quake3: return "quake3";
    case format::xonotic: return "xonotic";
  }
  return {};
}

std::optional<format> parse_format(std::string_view name) noexcept {
  for (const auto f : formats)
    if (to_string(f) == name) return f;
  return std::nullopt;
}

void log_parser::end_line(std::string_view line) {
  const bool is_long = partial_is_long_ || partial_.size() + line.size() > line_limit_bytes;
  if (!partial_.empty() && !is_long) {
    partial_ += line;
    line = partial_;
  }
  bool known = false;
  if (!is_long) {
    if (record_.counted().lines == 0 && line.starts_with(byte_order_mark))
      line.remove_prefix(byte_order_mark.size());
    const auto text = trimmed(line);
    known = text.empty() || parse(text);
  }
  record_.count_line(known);
  partial_.clear();
  partial_is_long_ = false;
}

std::size_t log_parser::feed(std::string_view bytes, std::vector<log_event>& out) {
  record_.write_to(&out);
  const auto enough = out.size() + feed_events_limit;
  // Most files hold no "\r" at all, so it is looked for once a call, not once a line; the bytes of
  // a call are few, because those that are left will be searched again.
  bytes = bytes.substr(0, feed_limit_bytes);
  auto next_feed = bytes.find('\n');
  auto next_return = bytes.find('\r');
  std::size_t pos = 0;
  while (pos < bytes.size()) {
    if (after_return_) {
      after_return_ = false;
      if (bytes[pos] == '\n') {
        ++pos;
        continue;
      }
    }
    if (next_feed < pos) next_feed = bytes.find('\n', pos);
    if (next_return < pos) next_return = bytes.find('\r', pos);
    const auto end = std::min(next_feed, next_return);
    if (end == std::string_view::npos) break;
    end_line(bytes.substr(pos, end - pos));
    after_return_ = bytes[end] == '\r';
    pos = end + 1;
    if (out.size() >= enough) return pos;
  }
  const auto left = bytes.substr(std::min(pos, bytes.size()));
  if (!partial_is_long_ && partial_.size() + left.size() <= line_limit_bytes) {
    partial_ += left;
  } else if (!left.empty()) {
    partial_is_long_ = true;
    partial_.clear();
  }
  return bytes.size();
}

void log_parser::finish(std::vector<log_event>& out) {
  record_.write_to(&out);
  if (!partial_.empty() || partial_is_long_) end_line({});
}

std::unique_ptr<log_parser> make_parser(format f, parser_options options) {
  if (f == format::source) return make_source_parser(std::move(options));
  if (f == format::quake3) return make_quake3_parser(std::move(options));
  return make_xonotic_parser(std::move(options));
}

result<format> detect(std::string_view head) {
  head = head.substr(0, detect_bytes);
  std::array<std::uint64_t, formats.size()> understood{};
  std::transform(formats.begin(), formats.end(), understood.begin(),
                 [&](format f) { return understood_lines(f, head); });
  const auto best = std::max_element(understood.begin(), understood.end());
  // Blank lines are understood by all, so they decide nothing.
  if (std::count(understood.begin(), understood.end(), *best) == 1)
    return formats[static_cast<std::size_t>(best - understood.begin())];
  return error{errc::invalid_argument,
               "this is no server log of a Source or GoldSrc, Quake III or Xonotic game: none of "
               "its first lines is understood"};
}

}  // namespace skirmish::ingest
