#include "status/a2s.hpp"

#include <optional>

namespace skirmish::status {
namespace {

constexpr std::string_view single_header = "\xFF\xFF\xFF\xFF";
constexpr std::string_view split_header = "\xFE\xFF\xFF\xFF";
constexpr std::string_view info_request = "\xFF\xFF\xFF\xFFTSource Engine Query";  // and a NUL
constexpr std::size_t challenge_bytes = 4;
// A server asks once; one that restarted meanwhile asks again. More is a server gone wrong.
constexpr int challenges_max = 3;
// An A2S_INFO answer takes a few hundred bytes. These bounds leave room for any real one.
constexpr std::size_t parts_max = 16;
constexpr std::size_t answer_limit_bytes = 16 * 1024;
constexpr std::int64_t app_the_ship = 2400;

error bad(std::string message) { return {errc::unavailable, "a2s: " + std::move(message)}; }

// Reads little-endian fields; once something is missing, everything after it is, too.
class field_reader {
 public:
  explicit field_reader(std::string_view rest) : rest_(rest) {}

  std::uint64_t integer(std::size_t bytes) {
    if (!take(bytes)) return 0;
    std::uint64_t out = 0;
    for (std::size_t i = bytes; i-- > 0;) out = out << 8U | static_cast<unsigned char>(taken_[i]);
    return out;
  }

  std::string_view text() {
    const auto end = is_whole_ ? rest_.find('\0') : std::string_view::npos;
    if (end == std::string_view::npos) {
      is_whole_ = false;
      return {};
    }
    take(end + 1);
    return taken_.substr(0, end);
  }

  [[nodiscard]] bool is_whole() const noexcept { return is_whole_; }

 private:
  bool take(std::size_t bytes) {
    is_whole_ = is_whole_ && bytes <= rest_.size();
    if (!is_whole_) return false;
    taken_ = rest_.substr(0, bytes);
    rest_.remove_prefix(bytes);
    return true;
  }

  std::string_view rest_;
  std::string_view taken_;
  bool is_whole_ = true;
};

server_info read_source(field_reader& in) {
  server_info out;
  in.integer(1);  // protocol version
  out.name = clean_text(in.text());
  out.map = clean_text(in.text());
  in.text();  // folder
  in.text();  // game
  const auto app_id = static_cast<std::int64_t>(in.integer(2));
  out.players = static_cast<std::int64_t>(in.integer(1));
  out.max_players = static_cast<std::int64_t>(in.integer(1));
  in.integer(5);                              // bots, server type, environment, visibility, VAC
  if (app_id == app_the_ship) in.integer(3);  // mode, witnesses, duration
  out.version = clean_text(in.text());
  // What may follow (port, SteamID, SourceTV, keywords) says nothing that is shown.
  return out;
}

server_info read_goldsource(field_reader& in) {
  server_info out;
  in.text();  // address
  out.name = clean_text(in.text());
  out.map = clean_text(in.text());
  in.text();  // folder
  in.text();  // game
  out.players = static_cast<std::int64_t>(in.integer(1));
  out.max_players = static_cast<std::int64_t>(in.integer(1));
  out.version = std::to_string(in.integer(1));  // of the protocol; it has no other
  return out;
}

}  // namespace

result<server_info> parse_a2s_info(std::string_view message) {
  if (message.empty()) return bad("the answer is empty");
  field_reader in(message.substr(1));
  server_info out;
  if (message.front() == 'I')
    out = read_source(in);
  else if (message.front() == 'm')
    out = read_goldsource(in);
  else
    return bad("the answer is of an unknown type");
  if (!in.is_whole()) return bad("the answer is truncated");
  return out;
}

std::string a2s_query::request() const {
  std::string out(info_request);
  out += '\0';
  return out + challenge_;
}

result<a2s_query::step> a2s_query::receive(std::string_view datagram) {
  if (datagram.starts_with(single_header)) return receive_message(datagram.substr(4));
  if (datagram.starts_with(split_header)) return receive_part(datagram.substr(4));
  return bad("the answer does not start like one");
}

result<a2s_query::step> a2s_query::receive_message(std::string_view message) {
  if (message.size() > answer_limit_bytes) return bad("the answer is too large");
  if (message.starts_with('A')) {
    if (message.size() < 1 + challenge_bytes) return bad("the challenge is truncated");
    if (++challenges_ > challenges_max) return bad("the server does not accept its own challenge");
    challenge_ = message.substr(1, challenge_bytes);
    return step::send;
  }
  auto parsed = parse_a2s_info(message);
  if (!parsed) return parsed.error();
  info_ = std::move(*parsed);
  return step::done;
}

// The form of Source servers: id, number of parts, number of this part, size of a part.
result<a2s_query::step> a2s_query::receive_part(std::string_view part) {
  field_reader in(part);
  const auto id = static_cast<std::uint32_t>(in.integer(4));
  const auto total = static_cast<std::size_t>(in.integer(1));
  const auto number = static_cast<std::size_t>(in.integer(1));
  in.integer(2);  // where the server cuts
  if (!in.is_whole()) return bad("a part of a split answer is truncated");
  if ((id & 0x80000000U) != 0) return bad("compressed split answers are not supported");
  if (total < 1 || total > parts_max || number >= total)
    return bad("a split answer has an impossible number of parts");
  if (split_total_ == 0 || id != split_id_) {  // the first part, or the answer to a later request
    split_id_ = id;
    split_total_ = total;
    split_bytes_ = 0;
    parts_.clear();
  }
  if (total != split_total_) return bad("the parts of a split answer contradict each other");
  const auto payload = part.substr(8);
  if (!parts_.emplace(number, payload).second) return step::wait;  // a repeated datagram
  split_bytes_ += payload.size();
  if (split_bytes_ > answer_limit_bytes) return bad("the answer is too large");
  if (parts_.size() < split_total_) return step::wait;

  std::string whole;
  for (const auto& [n, bytes] : parts_) whole += bytes;
  split_total_ = 0;
  if (!whole.starts_with(single_header)) return bad("a split answer does not start like one");
  return receive_message(std::string_view(whole).substr(4));
}

}  // namespace skirmish::status
