#include "redis/value.hpp"

#include "core/damaged_data.hpp"
#include "core/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace skirmish::redis {
namespace {

using boost::redis::resp3::node_view;
namespace resp3 = boost::redis::resp3;

// A hostile or confused server must not make us reserve gigabytes before it has sent them.
constexpr std::size_t reserve_limit_elements = 64 * 1024;

template <class Number>
std::optional<Number> parse(std::string_view text) noexcept {
  Number number{};
  const auto* end = text.data() + text.size();
  const auto [at, problem] = std::from_chars(text.data(), end, number);
  if (problem != std::errc{} || at != end) return std::nullopt;
  return number;
}

// Verbatim strings carry a three-letter format and a colon in front ("txt:").
std::string_view without_format(std::string_view text) {
  return text.size() >= 4 && text[3] == ':' ? text.substr(4) : text;
}

value leaf(const node_view& node) {
  switch (node.data_type) {
    case resp3::type::null: return {};
    case resp3::type::boolean: return value(node.value == "t");
    case resp3::type::number:
      if (const auto n = parse<std::int64_t>(node.value)) return value(*n);
      break;
    case resp3::type::doublean:
      if (const auto n = parse<double>(node.value)) return value(*n);
      break;
    case resp3::type::simple_error:
    case resp3::type::blob_error: return {value::type::error, std::string(node.value)};
    case resp3::type::verbatim_string: return value(std::string(without_format(node.value)));
    default: break;
  }
  return value(std::string(node.value));
}

value::type aggregate_type(resp3::type type) {
  switch (type) {
    case resp3::type::map:
    case resp3::type::attribute: return value::type::map;
    case resp3::type::set: return value::type::set;
    case resp3::type::push: return value::type::push;
    default: return value::type::array;
  }
}

// What a leaf is as text: how Redis would have written it in RESP2.
std::string plain(const value& v) {
  switch (v.kind()) {
    case value::type::boolean:
    case value::type::integer: return std::to_string(*v.as_integer());
    case value::type::number: return fmt::format("{}", *v.as_double());
    case value::type::string:
    case value::type::error: return v.as_string();
    default: return {};
  }
}

// Errors which say that the command was not executed and that a later try may succeed.
bool is_passing(std::string_view message) {
  static constexpr std::array<std::string_view, 11> words{
      "LOADING",    "BUSY",     "OOM",         "READONLY", "MISCONF", "MASTERDOWN",
      "NOREPLICAS", "TRYAGAIN", "CLUSTERDOWN", "MOVED",    "ASK"};
  const auto word = message.substr(0, message.find(' '));
  return std::find(words.begin(), words.end(), word) != words.end();
}

// Errors of a command, or of one in a script, for what a key holds; "the key" begins those of
// demand() in attempt.lua.
bool is_of_content(std::string_view message) {
  return message.starts_with("WRONGTYPE") || message.starts_with("ERR the key ") ||
         message.starts_with("ERR hash value is not") ||
         message.starts_with("ERR value is not an integer") ||
         message.starts_with("ERR value is not a valid float") ||
         message.starts_with("ERR increment or decrement would overflow");
}

void check(const value& reply) {
  if (!reply.is_error()) return;
  if (is_of_content(reply.as_string())) throw damaged_data("redis: " + reply.as_string());
  throw failure(is_passing(reply.as_string()) ? errc::unavailable : errc::internal,
                "redis: " + reply.as_string());
}

}  // namespace

const std::string& value::as_string() const& noexcept {
  static const std::string empty;
  const auto* text = std::get_if<std::string>(&data_);
  return text != nullptr ? *text : empty;
}

std::string value::as_string() && {
  auto* text = std::get_if<std::string>(&data_);
  return text != nullptr ? std::move(*text) : std::string();
}

std::optional<std::int64_t> value::as_integer() const noexcept {
  switch (type_) {
    case type::boolean:
    case type::integer: return std::get<std::int64_t>(data_);
    case type::string: return parse<std::int64_t>(std::get<std::string>(data_));
    default: return std::nullopt;
  }
}

std::optional<double> value::as_double() const noexcept {
  switch (type_) {
    case type::number: return std::get<double>(data_);
    case type::boolean:
    case type::integer: return static_cast<double>(std::get<std::int64_t>(data_));
    case type::string: return parse<double>(std::get<std::string>(data_));
    default: return std::nullopt;
  }
}

const std::vector<value>& value::elements() const& noexcept {
  static const std::vector<value> empty;
  const auto* items = std::get_if<std::vector<value>>(&data_);
  return items != nullptr ? *items : empty;
}

std::vector<value> value::elements() && {
  auto* items = std::get_if<std::vector<value>>(&data_);
  return items != nullptr ? std::move(*items) : std::vector<value>();
}

const value* value::find(std::string_view key) const noexcept {
  const auto& items = elements();
  for (std::size_t i = 0; i + 1 < items.size(); i += 2)
    if (items[i].as_string() == key) return &items[i + 1];
  return nullptr;
}

std::vector<std::pair<std::string, std::string>> value::as_pairs() const {
  const auto& items = elements();
  std::vector<std::pair<std::string, std::string>> pairs;
  pairs.reserve(items.size() / 2);
  for (std::size_t i = 0; i + 1 < items.size(); i += 2)
    pairs.emplace_back(plain(items[i]), plain(items[i + 1]));
  return pairs;
}

std::vector<std::string> value::as_strings() const {
  std::vector<std::string> texts;
  texts.reserve(size());
  for (const auto& item : elements()) texts.push_back(plain(item));
  return texts;
}

std::string value::to_text() const {
  if (is_nil()) return "nil";
  if (is_error()) return "error " + log::quote(as_string());
  if (is_string()) return '"' + as_string() + '"';
  if (!is_aggregate()) return plain(*this);
  std::string text = "[";
  for (const auto& item : elements()) {
    if (text.size() > 1) text += ", ";
    text += item.to_text();
  }
  return text + "]";
}

value checked(value reply) {
  check(reply);
  return reply;
}

std::vector<value> checked(std::vector<value> replies) {
  for (const auto& reply : replies) {
    check(reply);
    for (const auto& nested : reply.elements()) check(nested);
  }
  return replies;
}

void reply_builder::on_node(const node_view& node, boost::system::error_code&) {
  value* place = &root_;
  if (!open_.empty()) {
    --open_.back().missing;
    place = &open_.back().elements->emplace_back();
  }
  if (resp3::is_aggregate(node.data_type)) {
    const auto count = node.aggregate_size * resp3::element_multiplicity(node.data_type);
    *place = value(aggregate_type(node.data_type), std::vector<value>());
    auto& elements = std::get<std::vector<value>>(place->data_);
    elements.reserve(std::min(count, reserve_limit_elements));
    // The address is stable: nothing is added beside this aggregate before it is complete.
    open_.push_back({&elements, count});
  } else {
    *place = leaf(node);
  }
  while (!open_.empty() && open_.back().missing == 0) open_.pop_back();
}

}  // namespace skirmish::redis
