// Reads the members of a JSON object without building a tree: the hot path looks at a dozen members
// of an envelope and skips the rest. Skipped values are not validated beyond their structure.
#pragma once

#include <cstring>
#include <optional>
#include <string_view>

namespace skirmish::tasks {

class json_scanner {
 public:
  explicit json_scanner(std::string_view text) : text_(text) {}

  // Calls `member(key, value)` for each member of the object that is the whole text; both are raw
  // tokens (the key without its quotes, a string value with them). False when the text is
  // not an object.
  template <class Member>
  bool object(Member&& member) {
    skip_space();
    if (!take('{')) return false;
    skip_space();
    if (take('}')) return at_end();
    while (true) {
      skip_space();
      const auto key = string_token();
      skip_space();
      if (!key || !take(':')) return false;
      skip_space();
      const auto value = value_token();
      if (!value) return false;
      member(key->substr(1, key->size() - 2), *value);
      skip_space();
      if (take(',')) continue;
      return take('}') && at_end();
    }
  }

  // The same for the elements of an array.
  template <class Element>
  bool array(Element&& element) {
    skip_space();
    if (!take('[')) return false;
    skip_space();
    if (take(']')) return at_end();
    while (true) {
      skip_space();
      const auto value = value_token();
      if (!value) return false;
      element(*value);
      skip_space();
      if (take(',')) continue;
      return take(']') && at_end();
    }
  }

 private:
  void skip_space() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r'))
      ++at_;
  }
  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool at_end() {
    skip_space();
    return at_ == text_.size();
  }

  // Moves past a string that starts here.
  bool skip_string() {
    if (!take('"')) return false;
    while (at_ < text_.size()) {
      const auto* quote =
          static_cast<const char*>(std::memchr(text_.data() + at_, '"', text_.size() - at_));
      if (quote == nullptr) return false;
      const auto end = static_cast<std::size_t>(quote - text_.data());
      std::size_t slashes = 0;
      while (end - slashes > at_ && text_[end - slashes - 1] == '\\') ++slashes;
      at_ = end + 1;
      if (slashes % 2 == 0) return true;
    }
    return false;
  }

  std::optional<std::string_view> string_token() {
    const auto start = at_;
    if (!skip_string()) return std::nullopt;
    return text_.substr(start, at_ - start);
  }

  std::optional<std::string_view> value_token() {
    if (at_ >= text_.size()) return std::nullopt;
    if (text_[at_] == '"') return string_token();
    const auto start = at_;
    if (text_[at_] == '{' || text_[at_] == '[') {
      std::size_t depth = 0;
      while (at_ < text_.size()) {
        const char c = text_[at_];
        if (c == '"') {
          if (!skip_string()) return std::nullopt;
          continue;
        }
        ++at_;
        if (c == '{' || c == '[') ++depth;
        if ((c == '}' || c == ']') && --depth == 0) return text_.substr(start, at_ - start);
      }
      return std::nullopt;
    }
    const auto end = text_.find_first_of(",}] \n\t\r", at_);
    at_ = end == std::string_view::npos ? text_.size() : end;
    if (at_ == start) return std::nullopt;
    return text_.substr(start, at_ - start);
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace skirmish::tasks
