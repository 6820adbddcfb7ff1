#include "tasks/protocol/python_repr.hpp"

#include "core/parse.hpp"
#include "skirmish/tasks/values.hpp"

#include <fmt/format.h>

namespace skirmish::tasks {
namespace {

void write_repr(std::string& out, const boost::json::value& v, std::size_t limit) {
  namespace json = boost::json;
  if (out.size() > limit) return;
  switch (v.kind()) {
    case json::kind::null: out += "None"; break;
    case json::kind::bool_: out += v.get_bool() ? "True" : "False"; break;
    case json::kind::int64: out += std::to_string(v.get_int64()); break;
    case json::kind::uint64: out += std::to_string(v.get_uint64()); break;
    case json::kind::double_: {
      const auto number = fmt::format("{}", v.get_double());
      out += number;
      if (number.find_first_of(".einf") == std::string::npos) out += ".0";
      break;
    }
    case json::kind::string: out += python_repr(std::string_view(v.get_string())); break;
    case json::kind::array: {
      out += '[';
      bool first = true;
      for (const auto& item : v.get_array()) {
        if (!std::exchange(first, false)) out += ", ";
        write_repr(out, item, limit);
      }
      out += ']';
      break;
    }
    case json::kind::object: {
      if (const auto digits = big_integer(v)) {
        out += *digits;
        break;
      }
      out += '{';
      bool first = true;
      for (const auto& [key, item] : v.get_object()) {
        if (!std::exchange(first, false)) out += ", ";
        out += python_repr(std::string_view(key));
        out += ": ";
        write_repr(out, item, limit);
      }
      out += '}';
      break;
    }
  }
}

std::string cut(std::string text, std::size_t limit) {
  if (text.size() <= limit) return text;
  text.erase(std::max<std::size_t>(limit, 3) - 3);
  // Do not cut a character in two: at most three bytes have to be removed.
  for (std::size_t i = 0; i < 3 && !is_valid_utf8(text); ++i) text.pop_back();
  return text + "...";
}

}  // namespace

std::string python_repr(std::string_view text) {
  const bool has_single = text.find('\'') != std::string_view::npos;
  const bool has_double = text.find('"') != std::string_view::npos;
  const char quote = has_single && !has_double ? '"' : '\'';
  std::string out(1, quote);
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (c == quote || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (u < 0x20 || u == 0x7F) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", u);
    } else {
      out += c;
    }
  }
  return out + quote;
}

std::string python_repr(const boost::json::value& v, std::size_t limit_bytes) {
  std::string out;
  write_repr(out, v, limit_bytes);
  return cut(std::move(out), limit_bytes);
}

std::string python_repr_tuple(const boost::json::array& items, std::size_t limit_bytes) {
  std::string out = "(";
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out += ", ";
    write_repr(out, items[i], limit_bytes);
  }
  out += items.size() == 1 ? ",)" : ")";
  return cut(std::move(out), limit_bytes);
}

}  // namespace skirmish::tasks
