#include "status/a2s.hpp"

#include "core/parse.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>

namespace skirmish::status {
namespace {

constexpr std::string_view single_header = "\xFF\xFF\xFF\xFF";
constexpr std::string_view split_header = "\xFE\xFF\xFF\xFF";
constexpr std::string_view info_request = "\xFF\xFF\xFF\xFFTSource Engine Query";  // and a NUL
constexpr std::size_t challenge_bytes = 4;
// A server asks once; one that restarted meanwhile asks again, and strays may come. More is a
// server gone wrong.
constexpr int challenges_max = 8;
// An A2S_INFO answer takes a few hundred bytes. These bounds leave room for any real one, and for
// some that others asked for.
constexpr std::size_t parts_max = 16;
constexpr std::size_t split_answers_max = 8;
constexpr std::size_t answer_limit_bytes = 16 * 1024;
constexpr std::int64_t app_the_ship = 2400;
constexpr std::int64_t byte_max = 255;
constexpr std::int64_t count_max = 1'000'000;

error bad(std::string message) { return {errc::unavailable, std::move(message)}; }

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
  [[nodiscard]] std::string_view rest() const noexcept { return rest_; }

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

// Players and slots take a byte each, which wraps above 255. Rust and others put the true numbers
// into the keywords: "mp400,cp300,…".
struct tagged_counts {
  std::optional<std::int64_t> players;
  std::optional<std::int64_t> max_players;
};

tagged_counts read_tags(std::string_view keywords) {
  tagged_counts out;
  while (!keywords.empty()) {
    const auto end = std::min(keywords.find(','), keywords.size());
    const auto tag = keywords.substr(0, end);
    keywords.remove_prefix(std::min(end + 1, keywords.size()));
    if (tag.size() < 3 || (!tag.starts_with("cp") && !tag.starts_with("mp"))) continue;
    const auto number = parse_integer(tag.substr(2));
    if (!number || *number < 0 || *number > count_max) continue;
    (tag.front() == 'c' ? out.players : out.max_players) = number;
  }
  return out;
}

void take_tags(std::string_view keywords, server_info& into) {
  const auto found = read_tags(keywords);
  // One of them alone may be a word that happens to look so, unless only a tag can hold it.
  const bool are_both = found.players && found.max_players;
  if (found.players && (are_both || *found.players > byte_max)) into.players = found.players;
  if (found.max_players && (are_both || *found.max_players > byte_max))
    into.max_players = found.max_players;
}

// What may follow the version. A tail that is cut short takes nothing from what stands before it.
std::string_view read_keywords(field_reader& in) {
  const auto flags = in.integer(1);
  if ((flags & 0x80U) != 0) in.integer(2);  // port
  if ((flags & 0x10U) != 0) in.integer(8);  // SteamID
  if ((flags & 0x40U) != 0) {               // SourceTV: port and name
    in.integer(2);
    in.text();
  }
  return (flags & 0x20U) != 0 ? in.text() : std::string_view();
}

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
  auto tail = in;
  take_tags(read_keywords(tail), out);
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

enum class split_form { source, old_source, goldsource };

// The whole, when all parts are there and fit together; nothing otherwise.
std::optional<std::string> join_parts(const std::vector<std::string>& parts, split_form form) {
  std::map<std::uint64_t, std::string_view> in_order;
  for (const auto& part : parts) {
    field_reader in(part);
    const auto first = in.integer(1);
    auto total = first;
    std::uint64_t number = first >> 4U;
    if (form == split_form::goldsource)
      total = first & 0x0FU;
    else
      number = in.integer(1);
    if (form == split_form::source) in.integer(2);
    if (!in.is_whole() || total != parts.size() || number >= total) return std::nullopt;
    if (!in_order.emplace(number, in.rest()).second) return std::nullopt;
  }
  std::string out;
  for (const auto& [number, payload] : in_order) out += payload;
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

void a2s_query::start_again() {
  challenge_.clear();
  parts_.clear();
  parts_bytes_ = 0;
}

a2s_query::step a2s_query::skip(std::string why) {
  complaint_ = "a2s: " + std::move(why);
  return step::wait;
}

a2s_query::step a2s_query::receive(std::string_view datagram) {
  if (datagram.starts_with(single_header)) return receive_message(datagram.substr(4));
  if (datagram.starts_with(split_header)) return receive_part(datagram.substr(4));
  return skip("the answer does not start like one");
}

a2s_query::step a2s_query::receive_message(std::string_view message) {
  if (message.size() > answer_limit_bytes) return skip("the answer is too large");
  if (message.starts_with('A')) {
    if (message.size() < 1 + challenge_bytes) return skip("the challenge is truncated");
    if (++challenges_ > challenges_max) return skip("the server does not accept its own challenge");
    challenge_ = message.substr(1, challenge_bytes);
    return step::send;
  }
  auto parsed = parse_a2s_info(message);
  if (!parsed) return skip(parsed.error().message);
  info_ = std::move(*parsed);
  return step::done;
}

// The id is the same in all forms; what follows it is one of these, and nothing says which:
//   Source:       total, number, size at which the server cuts (2 bytes)
//   old Source:   total, number
//   GoldSource:   one byte, the number in its upper half and the total in its lower
// So the parts are kept as they came, and the form is the one in which they make an answer.
a2s_query::step a2s_query::receive_part(std::string_view part) {
  constexpr std::size_t id_bytes = 4;
  if (part.size() <= id_bytes) return skip("a part of a split answer is truncated");
  const auto id = part.substr(0, id_bytes);
  const auto rest = part.substr(id_bytes);
  if (!parts_.contains(id) && parts_.size() == split_answers_max)
    return skip("too many split answers at once");
  auto& parts = parts_[std::string(id)];
  if (std::find(parts.begin(), parts.end(), rest) != parts.end()) return step::wait;  // repeated
  if (parts.size() == parts_max) return skip("a split answer has too many parts");
  if (parts_bytes_ + rest.size() > split_answers_max * answer_limit_bytes)
    return skip("the answer is too large");
  parts_bytes_ += rest.size();
  parts.emplace_back(rest);
  for (const auto form : {split_form::source, split_form::old_source, split_form::goldsource}) {
    const auto whole = join_parts(parts, form);
    if (!whole || !whole->starts_with(single_header)) continue;
    for (const auto& piece : parts) parts_bytes_ -= piece.size();
    parts_.erase(parts_.find(id));
    return receive_message(std::string_view(*whole).substr(4));
  }
  // Only a Source server's id has this bit, and only when the parts are packed with bzip2.
  const bool is_compressed = (static_cast<unsigned char>(id.back()) & 0x80U) != 0;
  return is_compressed ? skip("compressed split answers are not supported") : step::wait;
}

}  // namespace skirmish::status
