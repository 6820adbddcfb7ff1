// Parses JSON as Python does: every value can be written again unchanged.
#include "skirmish/tasks/values.hpp"
#include "tasks/protocol/json_text.hpp"

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/value_stack.hpp>

#include <charconv>
#include <cstdlib>

namespace skirmish::tasks {
namespace {

using boost::system::error_code;

// Python's own parser fails near 1,000.
constexpr std::size_t depth_limit_json = 1'200;

error bad(std::string what) { return {errc::invalid_argument, std::move(what)}; }

// Builds the value from the parser's callbacks. Numbers are converted here from their text, because
// the parser would turn an integer beyond 64 bits into a double.
class value_builder {
 public:
  static constexpr std::size_t max_object_size = json_object::max_size();
  static constexpr std::size_t max_array_size = json_array::max_size();
  static constexpr std::size_t max_key_size = boost::json::string::max_size();
  static constexpr std::size_t max_string_size = boost::json::string::max_size();

  explicit value_builder(boost::json::storage_ptr storage) { stack_.reset(std::move(storage)); }
  json release() { return stack_.release(); }

  using text = std::string_view;
  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_object_begin(error_code&) { return true; }
  bool on_array_begin(error_code&) { return true; }
  bool on_object_end(std::size_t n, error_code&) {
    stack_.push_object(n);
    return true;
  }
  bool on_array_end(std::size_t n, error_code&) {
    stack_.push_array(n);
    return true;
  }
  bool on_key_part(text s, std::size_t, error_code&) { return on_chars(s); }
  bool on_key(text s, std::size_t, error_code&) {
    stack_.push_key(s);
    return true;
  }
  bool on_string_part(text s, std::size_t, error_code&) { return on_chars(s); }
  bool on_string(text s, std::size_t, error_code&) {
    stack_.push_string(s);
    return true;
  }
  bool on_number_part(text, error_code&) { return true; }
  bool on_int64(std::int64_t, text s, error_code&) { return on_number(s); }
  bool on_uint64(std::uint64_t, text s, error_code&) { return on_number(s); }
  bool on_double(double d, text s, error_code&) {
    const bool is_word = s.empty() || s.back() < '0' || s.back() > '9';  // NaN, Infinity
    if (!is_word) return on_number(s);
    stack_.push_double(d);
    return true;
  }
  bool on_bool(bool b, error_code&) {
    stack_.push_bool(b);
    return true;
  }
  bool on_null(error_code&) {
    stack_.push_null();
    return true;
  }
  bool on_comment_part(text, error_code&) { return true; }
  bool on_comment(text, error_code&) { return true; }

 private:
  bool on_chars(text s) {
    stack_.push_chars(s);
    return true;
  }

  template <class Number>
  static bool read(text s, Number& to) {
    const auto [end, ec] = std::from_chars(s.data(), s.data() + s.size(), to);
    return ec == std::errc{} && end == s.data() + s.size();
  }

  bool on_number(text s) {
    if (s.find_first_of(".eE") != text::npos) {
      double d = 0;
      // Beyond the range of a double it is infinite or zero, as for Python.
      if (!read(s, d)) d = std::strtod(std::string(s).c_str(), nullptr);
      stack_.push_double(d);
    } else if (std::int64_t i = 0; read(s, i)) {
      stack_.push_int64(i);
    } else if (std::uint64_t u = 0; read(s, u)) {
      stack_.push_uint64(u);
    } else {
      stack_.push_key(big_integer_key);
      stack_.push_string(s);
      stack_.push_object(1);
    }
    return true;
  }

  boost::json::value_stack stack_;
};

std::optional<unsigned> surrogate_at(std::string_view text, std::size_t at) {
  if (text.substr(at, 2) != "\\u" || at + 6 > text.size()) return std::nullopt;
  unsigned unit = 0;
  const auto* begin = text.data() + at + 2;
  const auto [end, ec] = std::from_chars(begin, begin + 4, unit, 16);
  const bool is_surrogate = ec == std::errc{} && end == begin + 4 && (unit & 0xF800) == 0xD800;
  return is_surrogate ? std::optional(unit) : std::nullopt;
}

// UTF-8 cannot represent half a UTF-16 pair. Its escape is kept as the three bytes that its code
// point would have (as Python's "surrogatepass" writes them), which the writer turns into the
// escape again. Returns whether there was one; then `out` is the whole text.
bool keep_lone_surrogates(std::string_view text, std::string& out) {
  std::size_t copied = 0;
  for (auto at = text.find('\\'); at != std::string_view::npos; at = text.find('\\', at)) {
    const auto unit = surrogate_at(text, at);
    if (!unit) {
      at += 2;
    } else if (const auto low = surrogate_at(text, at + 6); *unit < 0xDC00 && low >= 0xDC00u) {
      at += 12;
    } else {
      out.append(text, copied, at - copied);
      for (const unsigned byte :
           {0xE0U | (*unit >> 12), 0x80U | ((*unit >> 6) & 63U), 0x80U | (*unit & 63U)})
        out += static_cast<char>(byte);
      at += 6;
      copied = at;
    }
  }
  if (copied > 0) out.append(text, copied);
  return copied > 0;
}

}  // namespace

result<json> parse_json(std::string_view text, boost::json::storage_ptr storage) {
  std::string rewritten;
  if (keep_lone_surrogates(text, rewritten)) text = rewritten;
  boost::json::parse_options options;
  options.allow_infinity_and_nan = true;
  options.max_depth = depth_limit_json;
  options.allow_invalid_utf8 = true;
  options.numbers = boost::json::number_precision::none;
  boost::json::basic_parser<value_builder> parser(options, std::move(storage));
  error_code ec;
  const auto used = parser.write_some(false, text.data(), text.size(), ec);
  if (!ec && used < text.size()) ec = boost::json::error::extra_data;
  if (ec) return bad("not JSON: " + ec.message());
  return parser.handler().release();
}

}  // namespace skirmish::tasks
