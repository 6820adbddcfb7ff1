#include "status/bedrock_ping.hpp"

#include "core/parse.hpp"
#include "status/minecraft_ping.hpp"

#include <vector>

namespace skirmish::status {
namespace {

constexpr char ping_id = 0x01;
constexpr char pong_id = 0x1C;
// What RakNet tells its offline messages by.
constexpr std::string_view magic("\x00\xFF\xFF\x00\xFE\xFE\xFE\xFE\xFD\xFD\xFD\xFD\x12\x34\x56\x78",
                                 16);
constexpr std::size_t number_bytes = 8;  // the time, and the id of client or server
constexpr std::int64_t count_max = 1'000'000'000;

error bad(std::string message) { return {errc::unavailable, "bedrock: " + std::move(message)}; }

// The fields between semicolons; a backslash makes a semicolon an ordinary character.
std::vector<std::string> split_fields(std::string_view text) {
  constexpr std::size_t fields_max = 32;
  std::vector<std::string> out(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool is_escaped = text[i] == '\\' && i + 1 < text.size();
    if (is_escaped)
      out.back() += text[++i];
    else if (text[i] != ';')
      out.back() += text[i];
    else if (out.size() < fields_max)
      out.emplace_back();
    else
      break;
  }
  return out;
}

std::optional<std::int64_t> count(const std::string& text) {
  const auto number = parse_integer(text);
  return number && *number >= 0 && *number <= count_max ? number : std::nullopt;
}

}  // namespace

query_step bedrock_query::receive(std::string_view datagram) {
  auto parsed = parse_bedrock_pong(datagram);
  if (!parsed) {
    complaint_ = parsed.error().message;
    return query_step::wait;
  }
  info_ = std::move(*parsed);
  return query_step::done;
}

std::string bedrock_query::request() const {
  // Time and id serve to tell answers apart; one request at a time needs neither.
  std::string out(1, ping_id);
  out.append(number_bytes, '\0');
  out += magic;
  return out.append(number_bytes, '\0');
}

// Edition;name;protocol;version;players;slots;server id;second line of the name;…
result<server_info> parse_bedrock_pong(std::string_view datagram) {
  constexpr std::size_t magic_at = 1 + 2 * number_bytes;
  constexpr std::size_t text_at = magic_at + magic.size() + 2;
  if (!datagram.starts_with(pong_id)) return bad("the answer is no unconnected pong");
  if (datagram.size() < text_at) return bad("the answer is truncated");
  if (datagram.substr(magic_at, magic.size()) != magic) return bad("the answer is not RakNet's");
  const auto length = static_cast<std::size_t>(static_cast<unsigned char>(datagram[text_at - 2]))
                          << 8U |
                      static_cast<std::size_t>(static_cast<unsigned char>(datagram[text_at - 1]));
  const auto text = datagram.substr(text_at);
  if (length > text.size()) return bad("the answer is truncated");
  const auto fields = split_fields(text.substr(0, length));
  if (fields.size() < 6 || (fields[0] != "MCPE" && fields[0] != "MCEE"))
    return bad("the answer is not that of a Minecraft server");
  server_info out;
  out.name = clean_text(without_styles(fields[1]));
  out.version = clean_text(fields[3]);
  out.players = count(fields[4]);
  out.max_players = count(fields[5]);
  // The second line is the level's name on the game's own server.
  if (fields.size() > 7) out.map = clean_text(without_styles(fields[7]));
  return out;
}

}  // namespace skirmish::status
