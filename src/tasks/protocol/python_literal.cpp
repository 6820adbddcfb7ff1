#include "tasks/protocol/python_literal.hpp"

#include "tasks/protocol/json_text.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <string>
#include <utility>

namespace skirmish::tasks {
namespace {

using boost::json::value;

constexpr int depth_limit = 50;
// Celery cuts the text of arguments at 1,024 characters, also inside of strings.
constexpr std::size_t may_be_cut_bytes = 900;

class literal_reader {
 public:
  explicit literal_reader(std::string_view text) : rest_(text) {}

  std::optional<value> whole() {
    auto out = any(0);
    skip_space();
    if (!rest_.empty()) return std::nullopt;
    return out;
  }

 private:
  void skip_space() {
    while (!rest_.empty() && rest_.front() == ' ') rest_.remove_prefix(1);
  }
  bool take(std::string_view word) {
    skip_space();
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }

  std::optional<value> any(int depth) {
    if (depth > depth_limit) return std::nullopt;
    if (take("None")) return value(nullptr);
    if (take("True")) return value(true);
    if (take("False")) return value(false);
    if (take("[")) return items("]", depth);
    if (take("(")) return items(")", depth);
    if (take("{")) return members(depth);
    if (rest_.empty()) return std::nullopt;
    if (rest_.front() == '\'' || rest_.front() == '"') {
      auto text = string();
      if (!text) return std::nullopt;
      return value(std::move(*text));
    }
    return number();
  }

  std::optional<value> items(std::string_view end, int depth) {
    boost::json::array out;
    while (!take(end)) {
      auto item = any(depth + 1);
      if (!item) return std::nullopt;
      out.push_back(std::move(*item));
      if (take(",")) continue;
      // "(1)" is a number in parentheses: repr() writes no such thing.
      if (end == ")" && out.size() == 1) return std::nullopt;
      if (!take(end)) return std::nullopt;
      break;
    }
    return value(std::move(out));
  }

  std::optional<value> members(int depth) {
    boost::json::object out;
    while (!take("}")) {
      skip_space();
      auto name = string();
      if (!name || !take(":")) return std::nullopt;
      auto member = any(depth + 1);
      if (!member) return std::nullopt;
      out[*name] = std::move(*member);
      if (take(",")) continue;
      if (!take("}")) return std::nullopt;
      break;
    }
    return value(std::move(out));
  }

  std::optional<std::string> string() {
    if (rest_.empty() || (rest_.front() != '\'' && rest_.front() != '"')) return std::nullopt;
    const auto end = rest_.find(rest_.front(), 1);
    if (end == std::string_view::npos) return std::nullopt;
    const auto inner = rest_.substr(1, end - 1);
    if (inner.find('\\') != std::string_view::npos) return std::nullopt;
    std::string out(inner);
    rest_.remove_prefix(end + 1);
    // What follows tells whether the quote was the end, or part of a text that was not escaped.
    skip_space();
    if (!rest_.empty() && std::string_view(",:)]}").find(rest_.front()) == std::string_view::npos)
      return std::nullopt;
    return out;
  }

  std::optional<value> number() {
    const auto size = std::min(rest_.find_first_not_of("+-.0123456789eE"), rest_.size());
    auto parsed = parse_json(rest_.substr(0, size));
    if (!parsed) return std::nullopt;
    rest_.remove_prefix(size);
    return std::move(*parsed);
  }

  std::string_view rest_;
};

}  // namespace

std::optional<value> parse_python_literal(std::string_view text) {
  if (text.size() >= may_be_cut_bytes && text.find("...") != std::string_view::npos)
    return std::nullopt;
  return literal_reader(text).whole();
}

}  // namespace skirmish::tasks
