#include "tasks/protocol/control_message.hpp"

#include "core/base64.hpp"
#include "tasks/protocol/envelope.hpp"
#include "tasks/protocol/glob.hpp"
#include "tasks/protocol/json_text.hpp"
#include "tasks/protocol/message.hpp"

#include <algorithm>
#include <regex>

namespace skirmish::tasks {
namespace {

error bad(std::string what) { return {errc::invalid_argument, std::move(what)}; }

bool matches(const std::string& matcher, const std::string& pattern, std::string_view node) {
  if (matcher == "glob") return glob_match(pattern, node);
  if (matcher != "pcre") return false;
  try {
    return std::regex_search(std::string(node), std::regex(pattern),
                             std::regex_constants::match_continuous);
  } catch (const std::regex_error&) {
    return false;
  }
}

}  // namespace

std::string control_request(std::string_view method, json_object arguments,
                            const control_address& to) {
  json_object body{{"method", method},
                   {"arguments", std::move(arguments)},
                   {"destination", nullptr},
                   {"pattern", nullptr},
                   {"matcher", nullptr}};
  if (!to.destination.empty())
    body["destination"] = json_array(to.destination.begin(), to.destination.end());
  if (!to.reply_queue_id.empty()) {
    body["ticket"] = to.ticket;
    body["reply_to"] =
        json_object{{"exchange", "reply.celery.pidbox"}, {"routing_key", to.reply_queue_id}};
  }
  std::string text;
  append_json(text, body);
  std::string out;
  append_plain_envelope(out, {R"({"clock": 1, "expires": 0})", "celery.pidbox", "", 2}, text);
  return out;
}

bool received_request::is_for(std::string_view node) const {
  if (has_destination)
    return std::find(destination.begin(), destination.end(), node) != destination.end();
  if (!pattern.empty() && !matcher.empty()) return matches(matcher, pattern, node);
  return true;
}

result<json> plain_body(std::string_view envelope) {
  auto parsed = parse_json(envelope);
  if (!parsed) return parsed.error();
  const auto* object = parsed->if_object();
  if (object == nullptr) return bad("not a JSON object");
  const auto body = text_at(*object, "body");
  bool encoded = false;
  if (const auto* properties = object->if_contains("properties");
      properties && properties->is_object())
    encoded = text_at(properties->get_object(), "body_encoding") == "base64";
  std::string text;
  if (encoded && !decode_base64(body, text)) return bad("the body is not base64");
  return parse_json(encoded ? text : body);
}

result<received_request> parse_control_request(std::string_view envelope) {
  auto body = plain_body(envelope);
  if (!body) return body.error();
  auto* fields = body->if_object();
  if (fields == nullptr) return bad("the request is not an object");
  received_request out;
  out.method = text_at(*fields, "method");
  if (out.method.empty()) return bad("the request names no method");
  if (auto* arguments = fields->if_contains("arguments"); arguments && arguments->is_object())
    out.arguments = std::move(arguments->get_object());
  if (const auto* to = fields->if_contains("destination");
      to && to->is_array() && !to->get_array().empty()) {
    out.has_destination = true;
    for (const auto& node : to->get_array())
      if (node.is_string()) out.destination.emplace_back(node.get_string());
  }
  out.pattern = text_at(*fields, "pattern");
  out.matcher = text_at(*fields, "matcher");
  out.ticket = text_at(*fields, "ticket");
  if (const auto* to = fields->if_contains("reply_to"); to && to->is_object()) {
    out.reply_exchange = text_at(to->get_object(), "exchange");
    out.reply_key = text_at(to->get_object(), "routing_key");
  }
  if (const auto whole = parse_json(envelope)) {
    if (const auto* headers = whole->as_object().if_contains("headers");
        headers && headers->is_object())
      if (const auto* clock = headers->get_object().if_contains("clock");
          clock && clock->is_int64() && clock->get_int64() > 0)
        out.clock = static_cast<std::uint64_t>(clock->get_int64());
  }
  return out;
}

std::string control_reply(const received_request& to, std::string_view node, const json& answer,
                          std::uint64_t clock) {
  std::string body;
  append_json(body, json_object{{node, answer}});
  std::string headers;
  append_json(headers, json_object{{"ticket", to.ticket}, {"clock", clock}});
  std::string out;
  append_plain_envelope(out, {headers, to.reply_exchange, to.reply_key, 1}, body);
  return out;
}

json control_ok(std::string text) { return json_object{{"ok", std::move(text)}}; }
json control_error(std::string text) { return json_object{{"error", std::move(text)}}; }

std::vector<std::string> strings_at(const json_object& arguments, std::string_view name) {
  std::vector<std::string> out;
  const auto* v = arguments.if_contains(name);
  if (v && v->is_string()) out.emplace_back(v->get_string());
  if (v && v->is_array())
    for (const auto& item : v->get_array())
      if (item.is_string()) out.emplace_back(item.get_string());
  return out;
}

}  // namespace skirmish::tasks
