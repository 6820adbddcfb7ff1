// A reply of Redis as a plain tree (RESP3), and the adapter that builds it from Boost.Redis.
//
// An error reply is a value like any other: it never closes the connection nor hides the other
// replies of a pipeline. Whoever reads a reply decides, most often with `checked()`.
#pragma once

#include <boost/redis/adapter/any_adapter.hpp>

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace skirmish::redis {

class value {
 public:
  // The last four hold elements. A map's are key, value, key, value…
  enum class type { nil, boolean, integer, number, string, error, array, map, set, push };

  value() = default;  // nil
  // Templates, so that a string literal does not become a boolean.
  template <std::same_as<bool> Boolean>
  explicit value(Boolean b) : type_(type::boolean), data_(std::int64_t{b}) {}
  template <std::integral Integer>
    requires(!std::same_as<Integer, bool>)
  explicit value(Integer n) : type_(type::integer), data_(static_cast<std::int64_t>(n)) {}
  explicit value(double n) : type_(type::number), data_(n) {}
  explicit value(std::string text) : type_(type::string), data_(std::move(text)) {}
  value(type kind, std::string text) : type_(kind), data_(std::move(text)) {}
  value(type kind, std::vector<value> elements) : type_(kind), data_(std::move(elements)) {}

  [[nodiscard]] type kind() const noexcept { return type_; }
  [[nodiscard]] bool is_nil() const noexcept { return type_ == type::nil; }
  [[nodiscard]] bool is_error() const noexcept { return type_ == type::error; }
  [[nodiscard]] bool is_string() const noexcept { return type_ == type::string; }
  [[nodiscard]] bool is_aggregate() const noexcept { return type_ >= type::array; }

  // The text of a string or an error; empty for everything else.
  [[nodiscard]] const std::string& as_string() const& noexcept;
  [[nodiscard]] std::string as_string() &&;
  // Integers, booleans (0, 1) and strings that are wholly a decimal integer; nothing for everything
  // else.
  [[nodiscard]] std::optional<std::int64_t> as_integer() const noexcept;
  // The same for numbers with a fraction ("inf" and "nan" included, as Redis writes them).
  [[nodiscard]] std::optional<double> as_double() const noexcept;
  // True for boolean true and for integers other than 0.
  [[nodiscard]] bool as_bool() const noexcept { return as_integer().value_or(0) != 0; }

  // The elements of an aggregate; empty for everything else. Of a map: keys and values in turn.
  [[nodiscard]] const std::vector<value>& elements() const& noexcept;
  [[nodiscard]] std::vector<value> elements() &&;
  [[nodiscard]] std::size_t size() const noexcept { return elements().size(); }
  [[nodiscard]] const value& operator[](std::size_t i) const { return elements().at(i); }

  // A field of a map, or of an array that lists keys and values in turn (what Lua scripts return);
  // null when absent.
  [[nodiscard]] const value* find(std::string_view key) const noexcept;
  // The pairs of a map as strings (HGETALL): what is not text is written as text, nil as the empty
  // string.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> as_pairs() const;
  // The elements as strings (LRANGE, SMEMBERS…), by the same rule.
  [[nodiscard]] std::vector<std::string> as_strings() const;

  // One line for logs and failed tests, for example `[1, "a", nil, error "ERR no"]`.
  [[nodiscard]] std::string to_text() const;

 private:
  friend class reply_builder;

  type type_ = type::nil;
  std::variant<std::int64_t, double, std::string, std::vector<value>> data_;
};

// The value itself, or, when it is an error reply, a `failure` with its text: unavailable when the
// error says that nothing was executed and a later try may succeed (LOADING, BUSY, OOM, READONLY,
// NOREPLICAS, MOVED, ASK…), internal otherwise.
value checked(value reply);
// The same for every reply of a pipeline, also inside the reply of EXEC.
std::vector<value> checked(std::vector<value> replies);

// Appends one value to a vector for each complete reply, and never reports an error to Boost.Redis
// (which would close the connection). Found by argument-dependent lookup, so a `std::vector<value>`
// is a response type for Boost.Redis. Not to be copied in the middle of a reply.
class reply_builder {
 public:
  explicit reply_builder(std::vector<value>& out) : out_(&out) {}
  void on_init() { open_.clear(); }
  void on_node(const boost::redis::resp3::node_view& node, boost::system::error_code& ignored);
  void on_done() { out_->push_back(std::move(root_)); }

 private:
  struct level {
    std::vector<value>* elements;
    std::size_t missing;  // elements still to come
  };
  std::vector<value>* out_;
  value root_;               // of the reply that is being read
  std::vector<level> open_;  // its unfinished aggregates, the outermost first
};

inline reply_builder boost_redis_adapt(std::vector<value>& out) { return reply_builder(out); }

}  // namespace skirmish::redis
