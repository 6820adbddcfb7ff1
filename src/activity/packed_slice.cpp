#include "activity/packed_slice.hpp"

#include "core/error.hpp"
#include "core/ids.hpp"

#include <algorithm>
#include <cstring>

namespace skirmish::activity {
namespace {

constexpr std::size_t uuid_length = 36;
constexpr std::size_t uuid_packed = 17;
constexpr std::size_t block_limit_bytes = std::size_t{1} << 16;
constexpr char wide_lengths = '\xFF';

bool is_dash(std::size_t at) { return at == 8 || at == 13 || at == 18 || at == 23; }

// -1 for what is no lower-case hexadecimal digit.
int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// The id's bytes as they are packed: ids never begin with 0x00, so that marks a UUID.
std::string to_name(const std::string& id) {
  if (id.size() != uuid_length) return id;
  std::string out(1, '\0');
  int high = -1;
  for (std::size_t i = 0; i < id.size(); ++i) {
    if (is_dash(i)) {
      if (id[i] != '-') return id;
      continue;
    }
    const int digit = hex_value(id[i]);
    if (digit < 0) return id;
    if (high < 0) {
      high = digit;
    } else {
      out += static_cast<char>(high << 4 | digit);
      high = -1;
    }
  }
  return out;
}

std::string to_id(const std::string& name) {
  if (name.empty() || name[0] != '\0') return name;
  static constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  out.reserve(uuid_length);
  for (std::size_t i = 1; i < name.size(); ++i) {
    const auto byte = static_cast<unsigned char>(name[i]);
    out += digits[byte >> 4];
    out += digits[byte & 15];
    if (is_dash(out.size())) out += '-';
  }
  return out;
}

void put_varint(std::string& out, std::uint64_t n) {
  for (; n >= 0x80; n >>= 7) out += static_cast<char>(0x80 | (n & 0x7F));
  out += static_cast<char>(n);
}

// Reads from the front of `text`; nothing when it ends too early.
std::optional<std::uint64_t> take_varint(std::string_view& text) {
  std::uint64_t n = 0;
  for (std::size_t i = 0; i < text.size() && i < 10; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    n |= static_cast<std::uint64_t>(byte & 0x7F) << (7 * i);
    if (byte < 0x80) {
      text.remove_prefix(i + 1);
      return n;
    }
  }
  return std::nullopt;
}

std::optional<std::size_t> take_byte(std::string_view& text) {
  if (text.empty()) return std::nullopt;
  const auto byte = static_cast<unsigned char>(text.front());
  text.remove_prefix(1);
  return byte;
}

void put_entry(std::string& out, std::string_view before, std::string_view name,
               std::int64_t count) {
  const auto ends = std::mismatch(name.begin(), name.end(), before.begin(), before.end());
  const auto shared = static_cast<std::size_t>(ends.first - name.begin());
  const auto rest = name.size() - shared;
  if (shared < 16 && rest < 16 && shared + rest < 30) {
    out += static_cast<char>(shared << 4 | rest);
  } else {
    out += wide_lengths;
    out += static_cast<char>(shared);
    out += static_cast<char>(rest);
  }
  out += name.substr(shared);
  put_varint(out, static_cast<std::uint64_t>(count));
}

// False for what is no entry. `name` is that of the entry before, and becomes this one's.
bool take_entry(std::string_view& text, std::string& name, std::uint64_t& count) {
  auto lengths = take_byte(text);
  if (!lengths) return false;
  auto shared = std::optional(*lengths >> 4);
  auto rest = std::optional(*lengths & 15);
  if (*lengths == 0xFF) {
    shared = take_byte(text);
    rest = take_byte(text);
  }
  if (!shared || !rest || *shared > name.size() || *rest > text.size()) return false;
  name.resize(*shared);
  name += text.substr(0, *rest);
  text.remove_prefix(*rest);
  const auto n = take_varint(text);
  count = n.value_or(0);
  const bool is_uuid = !name.empty() && name[0] == '\0';
  return n && (is_uuid ? name.size() == uuid_packed : is_valid_id(name));
}

[[noreturn]] void refuse() { throw failure(errc::internal, "a packed slice is damaged"); }

}  // namespace

void slice_packer::add(std::vector<player_count> run) {
  players_ += run.size();
  for (auto& p : run) p.player_id = to_name(p.player_id);
  std::sort(run.begin(), run.end(),
            [](const auto& a, const auto& b) { return a.player_id < b.player_id; });
  std::string block;
  for (std::size_t first = 0; first < run.size(); first += block_players) {
    block.clear();
    std::string_view before;
    for (std::size_t i = first; i < std::min(first + block_players, run.size()); ++i) {
      put_entry(block, before, run[i].player_id, run[i].count);
      before = run[i].player_id;
    }
    put_varint(text_, block.size());
    text_ += block;
  }
}

std::optional<packed_block> read_block(std::string_view text) {
  const auto whole = text.size();
  const auto length = take_varint(text);
  if (!length) {
    if (whole >= 10) refuse();
    return std::nullopt;
  }
  if (*length > block_limit_bytes) refuse();
  if (*length > text.size()) return std::nullopt;
  packed_block out;
  out.bytes = whole - text.size() + *length;
  text = text.substr(0, *length);
  std::string name;
  while (!text.empty()) {
    std::uint64_t count = 0;
    if (!take_entry(text, name, count)) refuse();
    out.players.push_back({to_id(name), static_cast<std::int64_t>(count)});
  }
  return out;
}

}  // namespace skirmish::activity
