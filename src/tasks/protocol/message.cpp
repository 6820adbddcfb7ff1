#include "tasks/protocol/message.hpp"

#include "core/base64.hpp"
#include "core/ids.hpp"
#include "tasks/protocol/json_scan.hpp"
#include "tasks/protocol/json_text.hpp"
#include "tasks/protocol/python_repr.hpp"
#include "tasks/protocol/signature_json.hpp"
#include "tasks/protocol/wall_time.hpp"

#include <boost/json/monotonic_resource.hpp>
#include <fmt/format.h>
#include <zlib.h>

#include <array>
#include <charconv>

namespace skirmish::tasks {
namespace {

constexpr std::size_t inflated_limit_bytes = 256 << 20;

error bad(std::string what) { return {errc::invalid_argument, std::move(what)}; }

// The text of a string token; empty for null and for anything that is not a string.
std::string_view text_of(message& m, std::string_view token) {
  if (token.size() < 2 || token.front() != '"') return {};
  const auto inner = token.substr(1, token.size() - 2);
  if (inner.find('\\') == std::string_view::npos) return inner;
  std::string plain;
  if (!unescape_json(inner, plain)) return {};
  return m.decoded.emplace_back(std::move(plain));
}

template <class Number>
std::optional<Number> number_of(std::string_view token) {
  // Python also accepts numbers in strings here.
  if (token.size() >= 2 && token.front() == '"') token = token.substr(1, token.size() - 2);
  Number n{};
  const auto [end, ec] = std::from_chars(token.data(), token.data() + token.size(), n);
  if (ec != std::errc{} || end != token.data() + token.size()) return std::nullopt;
  return n;
}

// A time or null. False when it is neither.
bool read_time(message& m, std::string_view token, std::optional<wall_time>& to) {
  if (token == "null" || token.empty()) return true;
  if (token.front() == '{') {
    const auto tagged = parse_json(token);
    const auto at = tagged ? as_time(*tagged) : std::nullopt;
    if (at) to = std::chrono::time_point_cast<std::chrono::microseconds>(*at);
    return at.has_value();
  }
  if (token.front() != '"') {
    // Protocol 1 and a few producers write Unix seconds.
    const auto seconds = number_of<double>(token);
    if (seconds) to = from_unix_s(*seconds);
    return seconds.has_value();
  }
  const auto text = text_of(m, token);
  if (text.empty()) return true;
  to = parse_iso(text);
  return to.has_value();
}

void read_limits(message& m, std::string_view token) {
  std::size_t i = 0;
  json_scanner(token).array([&](std::string_view item) {
    const auto seconds = number_of<double>(item);
    if (i == 0) m.hard_limit_s = seconds;
    if (i == 1) m.soft_limit_s = seconds;
    ++i;
  });
}

struct header_problems {
  bool eta = false;
};

void read_header(message& m, std::string_view key, std::string_view token,
                 header_problems& problems) {
  if (key == "task")
    m.task = text_of(m, token);
  else if (key == "id")
    m.id = text_of(m, token);
  else if (key == "root_id")
    m.root_id = text_of(m, token);
  else if (key == "parent_id")
    m.parent_id = text_of(m, token);
  else if (key == "group")
    m.group = text_of(m, token);
  else if (key == "group_index")
    m.group_index = number_of<std::int64_t>(token);
  else if (key == "retries")
    m.retries = number_of<int>(token).value_or(0);
  else if (key == "eta") {
    m.eta_token = token;
    problems.eta |= !read_time(m, token, m.eta);
  } else if (key == "expires") {
    m.expires_token = token;
    problems.eta |= !read_time(m, token, m.expires);
  } else if (key == "timelimit")
    read_limits(m, token);
  else if (key == "argsrepr") {
    if (token.front() == '"') m.args_repr = token;
  } else if (key == "kwargsrepr") {
    if (token.front() == '"') m.kwargs_repr = token;
  } else if (key == "origin")
    m.origin = text_of(m, token);
  else if (key == "ignore_result")
    m.ignore_result = token == "true";
  else if (key == "shadow")
    m.shadow = text_of(m, token);
  else if (key == "redelivered")
    m.redelivered |= token == "true";
  else if (key == "compression")
    m.compression = text_of(m, token);
  else if (key == restored_header)
    m.restored = number_of<int>(token).value_or(0);
  else if (key == returned_header)
    m.returned = number_of<int>(token).value_or(0);
  else if (key == dead_letter_header)
    m.dead_letter_after = number_of<int>(token).value_or(0);
  else if (key == dedup_header)
    m.dedup_key = text_of(m, token);
}

void read_delivery_info(message& m, std::string_view key, std::string_view token) {
  if (key == "exchange")
    m.exchange = text_of(m, token);
  else if (key == "routing_key")
    m.routing_key = text_of(m, token);
  else if (key == "redelivered")
    m.redelivered |= token == "true";
}

void read_property(message& m, std::string_view key, std::string_view token) {
  if (key == "correlation_id")
    m.correlation_id = text_of(m, token);
  else if (key == "reply_to")
    m.reply_to = text_of(m, token);
  else if (key == "priority")
    m.priority = number_of<int>(token).value_or(0);
  else if (key == "body_encoding")
    m.body_encoding = text_of(m, token);
  else if (key == "delivery_tag")
    m.delivery_tag = text_of(m, token);
  else if (key == "delivery_info")
    json_scanner(token).object([&](auto k, auto v) { read_delivery_info(m, k, v); });
}

result<std::string> inflate(std::string_view packed) {
  z_stream stream{};
  // 32: zlib and gzip headers alike.
  if (inflateInit2(&stream, 15 + 32) != Z_OK) return bad("zlib cannot be initialised");
  std::string out;
  std::array<char, 16384> chunk;
  // zlib does not write through next_in, although its type is not const.
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  int state = Z_OK;
  while (state == Z_OK && out.size() <= inflated_limit_bytes) {
    stream.next_out = reinterpret_cast<Bytef*>(chunk.data());
    stream.avail_out = chunk.size();
    state = ::inflate(&stream, Z_NO_FLUSH);
    out.append(chunk.data(), chunk.size() - stream.avail_out);
  }
  inflateEnd(&stream);
  if (state != Z_STREAM_END) return bad("the body's compressed data is broken or too large");
  return out;
}

result<std::string> decode_body_text(const message& m) {
  std::string text;
  if (m.body.size() < 2 || m.body.front() != '"') return bad("the body is not a string");
  const auto inner = m.body.substr(1, m.body.size() - 2);
  if (m.body_encoding == "base64") {
    // JSON may escape the slash; few writers do.
    std::string plain;
    const bool escaped = inner.find('\\') != std::string_view::npos;
    if (escaped && !unescape_json(inner, plain)) return bad("the body has a broken escape");
    if (!decode_base64(escaped ? std::string_view(plain) : inner, text))
      return bad("the body is not base64");
  } else if (!unescape_json(inner, text)) {
    return bad("the body has a broken escape");
  }
  if (m.compression.empty()) return text;
  if (m.compression == "application/x-gzip" || m.compression == "application/gzip")
    return inflate(text);
  return bad(fmt::format("the compression {} is not supported", m.compression));
}

result<void> check_content(const message& m) {
  if (m.content_type.empty() || m.content_type == "application/json") return {};
  return bad(fmt::format("refusing content of type {}", m.content_type));
}

result<message_body> body_of_protocol_1(const message& m) {
  message_body out;
  const auto value_of = [&m](std::string_view name) -> json {
    const auto* found = m.body_1.if_contains(name);
    return found ? *found : json();
  };
  if (auto args = value_of("args"); args.is_array()) out.args = args.get_array();
  if (auto kwargs = value_of("kwargs"); kwargs.is_object()) out.kwargs = kwargs.get_object();
  out.callbacks = value_of("callbacks");
  out.errbacks = value_of("errbacks");
  out.chain = value_of("chain");
  out.chord = value_of("chord");
  for (auto* part : {&out.callbacks, &out.errbacks, &out.chain, &out.chord}) plain_options(*part);
  return out;
}

// Protocol 1 has everything in the body.
result<void> read_protocol_1(message& m) {
  auto text = decode_body_text(m);
  if (!text) return text.error();
  auto parsed = parse_json(*text);
  if (!parsed) return parsed.error();
  if (!parsed->is_object()) return bad("no header names a task and the body is not an object");
  m.body_1 = std::move(parsed->get_object());
  m.is_protocol_1 = true;
  header_problems problems;
  const auto keep = [&m](std::string token) -> std::string_view {
    return m.decoded.emplace_back(std::move(token));
  };
  for (const auto& [key, value] : m.body_1) {
    if (value.is_null() || key == "args" || key == "kwargs") continue;
    read_header(m, key == "taskset" ? std::string_view("group") : std::string_view(key),
                keep(to_json_text(value)), problems);
  }
  if (problems.eta) return bad("eta or expires is not a time");
  const auto repr_token = [&](std::string text_of_repr) {
    std::string token;
    append_json_string(token, text_of_repr);
    return keep(std::move(token));
  };
  const auto* args = m.body_1.if_contains("args");
  const auto* kwargs = m.body_1.if_contains("kwargs");
  m.args_repr = repr_token(args && args->is_array() ? python_repr_tuple(args->get_array()) : "()");
  m.kwargs_repr = repr_token(kwargs && kwargs->is_object() ? python_repr(*kwargs) : "{}");
  return {};
}

}  // namespace

result<void> parse_envelope(message& m) {
  header_problems problems;
  bool has_properties = false;
  const bool is_object =
      json_scanner(m.raw).object([&](std::string_view key, std::string_view token) {
        if (key == "body") {
          m.body = token;
        } else if (key == "headers") {
          m.headers = token;
          if (!json_scanner(token).object([&](auto k, auto v) { read_header(m, k, v, problems); }))
            m.headers = "{}";
        } else if (key == "properties") {
          has_properties =
              json_scanner(token).object([&](auto k, auto v) { read_property(m, k, v); });
        } else if (key == "content-type") {
          m.content_type = text_of(m, token);
        } else if (key == "content-encoding") {
          m.content_encoding = text_of(m, token);
        }
      });
  if (!is_object) return bad("the message is not a JSON object");
  if (m.body.empty()) return bad("the message has no body");
  if (auto ok = check_content(m); !ok) return ok;
  if (problems.eta) return bad("eta or expires is not a time");
  if (m.task.empty())
    if (auto ok = read_protocol_1(m); !ok) return ok;
  if (m.task.empty()) return bad("the message names no task");
  if (m.id.empty()) m.id = m.correlation_id;
  if (m.id.empty()) return bad("the message has no task id");
  return {};
}

bool has_dependants(const message& m) {
  if (!m.group.empty() || m.is_protocol_1 || m.body_encoding != "base64" || !m.compression.empty())
    return true;
  // The end of the body shows it, without decoding all of it.
  constexpr std::size_t tail_size = 96;
  if (m.body.size() < 2) return true;
  auto tail = m.body.substr(1, m.body.size() - 2);
  if (tail.size() % 4 != 0) return true;
  if (tail.size() > tail_size) tail.remove_prefix(tail.size() - tail_size);
  std::string text;
  if (!decode_base64(tail, text)) return true;
  std::erase(text, ' ');
  return !text.ends_with(R"("errbacks":null,"chain":null,"chord":null}])");
}

result<message_body> parse_body(const message& m) {
  if (m.is_protocol_1) return body_of_protocol_1(m);
  auto text = decode_body_text(m);
  if (!text) return text.error();
  // The values share one arena and keep it alive, because a task may move its arguments away.
  auto parsed =
      parse_json(*text, boost::json::make_shared_resource<boost::json::monotonic_resource>(1024));
  if (!parsed) return bad("the body is " + parsed.error().message);
  auto* triple = parsed->if_array();
  if (triple == nullptr || triple->size() < 2) return bad("the body is not [args, kwargs, embed]");
  if (!(*triple)[0].is_array()) return bad("the arguments are not a list");
  if (!(*triple)[1].is_object()) return bad("the keyword arguments are not an object");
  message_body out{json_array(std::move((*triple)[0].get_array())),
                   json_object(std::move((*triple)[1].get_object())),
                   {},
                   {},
                   {},
                   {}};
  if (triple->size() < 3 || !(*triple)[2].is_object()) return out;
  for (auto& [key, value] : (*triple)[2].get_object()) {
    if (value.is_null()) continue;
    // Copied out of the arena: these outlive the call.
    if (key == "callbacks")
      out.callbacks = json(value, boost::json::storage_ptr());
    else if (key == "errbacks")
      out.errbacks = json(value, boost::json::storage_ptr());
    else if (key == "chain")
      out.chain = json(value, boost::json::storage_ptr());
    else if (key == "chord")
      out.chord = json(value, boost::json::storage_ptr());
  }
  for (auto* part : {&out.callbacks, &out.errbacks, &out.chain, &out.chord}) plain_options(*part);
  return out;
}

result<std::string> edit_envelope(std::string_view raw, const envelope_edit& edit) {
  auto parsed = parse_json(raw);
  if (!parsed) return parsed.error();
  if (!parsed->is_object()) return bad("the message is not a JSON object");
  auto& envelope = parsed->get_object();
  const auto object_at = [](json_object& in, std::string_view name) -> json_object& {
    auto& member = in[name];
    if (!member.is_object()) member = json_object();
    return member.get_object();
  };
  auto& headers = object_at(envelope, "headers");
  auto& properties = object_at(envelope, "properties");
  if (edit.retries) headers["retries"] = *edit.retries;
  if (edit.eta) headers["eta"] = to_iso(*edit.eta);
  if (edit.remove_eta) headers["eta"] = nullptr;
  if (edit.parent_id) headers["parent_id"] = *edit.parent_id;
  if (edit.restored) headers[restored_header] = *edit.restored;
  if (edit.returned) headers[returned_header] = *edit.returned;
  if (edit.new_delivery_tag) properties["delivery_tag"] = random_uuid();
  if (edit.mark_redelivered) {
    headers["redelivered"] = true;
    object_at(properties, "delivery_info")["redelivered"] = true;
  }
  std::string out;
  out.reserve(raw.size() + 64);
  append_json(out, *parsed);
  return out;
}

}  // namespace skirmish::tasks
