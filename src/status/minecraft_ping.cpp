#include "status/minecraft_ping.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <cmath>

namespace skirmish::status {
namespace {

namespace json = boost::json;

// The protocol allows 2 MiB a packet; a status with its icon takes some tens of KiB.
constexpr std::int32_t answer_limit_bytes = 512 * 1024;
constexpr unsigned component_depth_max = 32;
constexpr std::size_t status_depth_max = 32;
constexpr std::int64_t count_max = 1'000'000'000;
// "Which protocol do you speak": the number that pingers send who do not know.
constexpr std::int32_t protocol_unknown = -1;

error bad(std::string message) { return {errc::unavailable, "minecraft: " + std::move(message)}; }

std::string framed(const std::string& packet) {
  std::string out;
  append_varint(out, static_cast<std::int32_t>(packet.size()));
  return out + packet;
}

// The text of a chat component: a string, or an object with `text` and more components in `extra`.
void collect_text(const json::value& component, unsigned depth, std::string& out) {
  if (depth > component_depth_max || out.size() > 4096) return;
  if (const auto* text = component.if_string()) {
    out += std::string_view(*text);
  } else if (const auto* list = component.if_array()) {
    for (const auto& item : *list) collect_text(item, depth + 1, out);
  } else if (const auto* object = component.if_object()) {
    // `translate` names a text of the client's; `fallback` is for clients that lack it.
    for (const auto* name : {"text", "fallback", "translate"}) {
      const auto* inner = object->if_contains(name);
      if (!inner) continue;
      collect_text(*inner, depth + 1, out);
      break;
    }
    if (const auto* extra = object->if_contains("extra")) collect_text(*extra, depth + 1, out);
  }
}

// A copy that a strict parser takes: what is nested deeper than `depth_max` is null, and control
// characters in texts are spaces. Everything else is left to the parser.
std::string without_decoration(std::string_view text, std::size_t depth_max) {
  std::string out;
  std::size_t depth = 0;
  bool is_in_text = false;
  bool is_escaped = false;
  for (const char c : text) {
    const bool is_kept = depth <= depth_max;
    if (is_in_text) {
      const bool is_control = static_cast<unsigned char>(c) < 0x20;
      if (is_kept) out += is_control ? ' ' : c;
      is_in_text = is_escaped || c != '"';
      is_escaped = !is_escaped && c == '\\';
      continue;
    }
    const bool is_closing = c == '}' || c == ']';
    if ((c == '{' || c == '[') && ++depth == depth_max + 1) out += "null";
    if (depth <= depth_max) out += c;
    if (is_closing && depth > 0) --depth;
    is_in_text = c == '"';
  }
  return out;
}

std::optional<std::int64_t> count(const json::object& in, std::string_view name) {
  const auto* found = in.if_contains(name);
  if (!found || !found->is_number()) return std::nullopt;
  const auto number = found->to_number<double>();
  if (!std::isfinite(number) || number < 0 || number > static_cast<double>(count_max))
    return std::nullopt;
  return static_cast<std::int64_t>(number);
}

}  // namespace

std::string without_styles(std::string_view text) {
  constexpr std::string_view sign = "\xC2\xA7";
  std::string out;
  while (!text.empty()) {
    const auto at = std::min(text.find(sign), text.size());
    out += text.substr(0, at);
    text.remove_prefix(std::min(at + sign.size() + 1, text.size()));
  }
  return out;
}

void append_varint(std::string& out, std::int32_t value) {
  auto rest = static_cast<std::uint32_t>(value);
  while (rest > 0x7F) {
    out += static_cast<char>((rest & 0x7FU) | 0x80U);
    rest >>= 7U;
  }
  out += static_cast<char>(rest);
}

result<varint> read_varint(std::string_view in) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 5; ++i) {
    if (i == in.size()) return varint{};
    const auto byte = static_cast<unsigned char>(in[i]);
    value |= (byte & 0x7FU) << (7U * i);
    if ((byte & 0x80U) == 0) return varint{static_cast<std::int32_t>(value), i + 1};
  }
  return bad("a VarInt is longer than five bytes");
}

std::string minecraft_request(std::string_view host, std::uint16_t port) {
  std::string handshake(1, '\0');  // packet id
  append_varint(handshake, protocol_unknown);
  append_varint(handshake, static_cast<std::int32_t>(host.size()));
  handshake += host;
  handshake += static_cast<char>(port >> 8U);
  handshake += static_cast<char>(port & 0xFFU);
  append_varint(handshake, 1);  // next state: status
  return framed(handshake) + framed(std::string(1, '\0'));
}

result<std::optional<server_info>> parse_minecraft_answer(std::string_view received) {
  std::optional<server_info> more_needed;
  auto length = read_varint(received);
  if (!length) return length.error();
  if (length->bytes == 0) return more_needed;
  if (length->value <= 0) return bad("the answer has an impossible length");
  if (length->value > answer_limit_bytes) return bad("the answer is too large");
  const auto size = static_cast<std::size_t>(length->value);
  if (received.size() - length->bytes < size) return more_needed;
  auto packet = received.substr(length->bytes, size);

  auto id = read_varint(packet);
  if (!id) return id.error();
  if (id->bytes == 0 || id->value != 0) return bad("the answer is not a status response");
  packet.remove_prefix(id->bytes);
  auto text_length = read_varint(packet);
  if (!text_length) return text_length.error();
  if (text_length->bytes == 0 || text_length->value < 0 ||
      static_cast<std::size_t>(text_length->value) > packet.size() - text_length->bytes)
    return bad("the answer is truncated");
  auto parsed = parse_minecraft_status(
      packet.substr(text_length->bytes, static_cast<std::size_t>(text_length->value)));
  if (!parsed) return parsed.error();
  return std::optional(std::move(*parsed));
}

result<server_info> parse_minecraft_status(std::string_view text) {
  json::parse_options options;
  options.max_depth = status_depth_max;
  options.allow_invalid_utf8 = true;  // clean_text() mends what is taken over
  options.allow_invalid_utf16 = true;
  boost::system::error_code ec;
  const auto parsed = json::parse(without_decoration(text, status_depth_max), ec, {}, options);
  const auto* status = ec ? nullptr : parsed.if_object();
  if (!status) return bad("the answer is not a JSON object");
  server_info out;
  if (const auto* players = status->if_contains("players"); players && players->is_object()) {
    out.players = count(players->get_object(), "online");
    out.max_players = count(players->get_object(), "max");
  }
  if (const auto* version = status->if_contains("version"); version && version->is_object()) {
    if (const auto* name = version->get_object().if_contains("name"); name && name->is_string())
      out.version = clean_text(without_styles(name->get_string()));
  }
  if (const auto* description = status->if_contains("description")) {
    std::string name;
    collect_text(*description, 0, name);
    out.name = clean_text(without_styles(name));
  }
  return out;
}

}  // namespace skirmish::status
