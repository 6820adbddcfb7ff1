#include "sessions/issuers.hpp"

#include "core/digest.hpp"
#include "core/ids.hpp"
#include "core/log.hpp"
#include "core/text.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>

namespace skirmish::sessions {
namespace {

namespace json = boost::json;
using steady = std::chrono::steady_clock;

constexpr std::size_t file_max_bytes = 1 << 20;
constexpr std::size_t issuer_name_max_bytes = 16;
constexpr std::size_t player_name_max_chars = 64;
constexpr std::string_view digest_mark = "sha256-";
constexpr std::size_t digest_digits = 32;

error bad(std::string why) { return {errc::invalid_argument, std::move(why)}; }

result<std::string> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string text(file_max_bytes + 1, '\0');
  if (in) in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!in.is_open() || in.bad()) return bad("cannot read " + path);
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > file_max_bytes) return bad(path + " is larger than 1 MiB");
  return text;
}

result<jwt_key_set> read_keys(const std::string& path) {
  const auto text = read_file(path);
  if (!text) return text.error();
  auto keys = jwt_key_set::parse(*text);
  if (!keys) return bad(fmt::format("{} {}", path, keys.error().message));
  return keys;
}

// No ':', which ends it in a player's id.
bool is_issuer_name(std::string_view name) {
  return is_valid_id(name) && name.size() <= issuer_name_max_bytes &&
         name.find(':') == std::string_view::npos;
}

std::string player_id_of(std::string_view issuer, std::string_view subject) {
  auto plain = fmt::format("{}:{}", issuer, subject);
  if (is_valid_id(plain) && !subject.starts_with(digest_mark)) return plain;
  return fmt::format("{}:{}{}", issuer, digest_mark, sha256_hex(subject).substr(0, digest_digits));
}

bool may_be_shown(std::string_view name) {
  return !text_fault(name, lines::one, 1, player_name_max_chars);
}

// A text, or a list of texts that is not empty.
std::vector<std::string> texts_of(const json::value* v) {
  std::vector<std::string> out;
  if (v && v->is_string()) out.emplace_back(v->get_string());
  if (v && v->is_array())
    for (const auto& item : v->get_array())
      if (item.is_string()) out.emplace_back(item.get_string());
  return out;
}

constexpr std::string_view members[] = {"name", "issuer", "audience", "jwks_file"};

result<void> check_members(const json::object& of) {
  for (const auto& [name, value] : of)
    if (std::find(std::begin(members), std::end(members), name) == std::end(members))
      return bad(
          fmt::format("has an unknown member `{}`; there are name, issuer, audience and "
                      "jwks_file",
                      std::string_view(name)));
  for (const auto name : members)
    if (!of.contains(name)) return bad(fmt::format("has an issuer without `{}`", name));
  return {};
}

}  // namespace

result<issuers::issuer> issuers::read_issuer(const std::string& file, const json::object& given) {
  if (auto ok = check_members(given); !ok)
    return bad(fmt::format("{} {}", file, ok.error().message));
  const auto single = [&given](std::string_view name) {
    const auto all = texts_of(given.if_contains(name));
    return all.size() == 1 ? all.front() : std::string();
  };
  issuer made;
  made.name = single("name");
  made.rules.issuer = single("issuer");
  made.rules.audiences = texts_of(given.if_contains("audience"));
  made.keys_file = single("jwks_file");
  if (!is_issuer_name(made.name))
    return bad(
        fmt::format("{}: a name has 1 to {} of A-Z a-z 0-9 _ . -", file, issuer_name_max_bytes));
  if (made.rules.issuer.empty() || made.rules.audiences.empty() || made.keys_file.empty())
    return bad(
        fmt::format("{}: issuer, audience and jwks_file of `{}` are texts", file, made.name));
  made.keys_file = (std::filesystem::path(file).parent_path() / made.keys_file).string();
  std::error_code ignored;  // read_keys says when it is not there
  made.changed_at = std::filesystem::last_write_time(made.keys_file, ignored);
  made.looked_at = steady::now();
  auto keys = read_keys(made.keys_file);
  if (!keys) return keys.error();
  made.keys = std::move(*keys);
  return made;
}

result<issuers> issuers::load(const std::string& file) {
  const auto text = read_file(file);
  if (!text) return text.error();
  boost::system::error_code ec;
  const auto parsed = json::parse(*text, ec);
  const auto* list =
      !ec && parsed.is_object() ? parsed.get_object().if_contains("issuers") : nullptr;
  if (!list || !list->is_array()) return bad(file + " is no JSON object {\"issuers\": […]}");
  if (list->get_array().size() > issuers_limit)
    return bad(fmt::format("{} has more than {} issuers", file, issuers_limit));
  issuers out;
  for (const auto& item : list->get_array()) {
    if (!item.is_object()) return bad(file + " has an issuer that is no object");
    auto made = read_issuer(file, item.get_object());
    if (!made) return made.error();
    const auto is_same = [&fresh = *made](const issuer& other) {
      return other.name == fresh.name || other.rules.issuer == fresh.rules.issuer;
    };
    if (std::any_of(out.all_.begin(), out.all_.end(), is_same))
      return bad(fmt::format("{} names `{}` or its issuer twice", file, made->name));
    out.all_.push_back(std::move(*made));
  }
  return out;
}

// Keeps the keys it has when the file cannot be used, and says so once per change of the file.
void issuers::look_for_new_keys(issuer& of) {
  const auto now = steady::now();
  if (now - of.looked_at < look_again) return;
  of.looked_at = now;
  std::error_code ec;
  const auto changed_at = std::filesystem::last_write_time(of.keys_file, ec);
  if (ec || changed_at == of.changed_at) return;
  of.changed_at = changed_at;
  auto keys = read_keys(of.keys_file);
  if (keys)
    of.keys = std::move(*keys);
  else
    log::error("issuer_keys_not_read", {{"issuer", of.name}, {"error", keys.error().message}});
}

result<proven_player> issuers::verify(std::string_view token, timestamp now) {
  const auto named = unverified_issuer(token);
  const auto found = std::find_if(all_.begin(), all_.end(), [&named](const issuer& i) {
    return named && i.rules.issuer == *named;
  });
  if (found == all_.end())
    return error{errc::unauthenticated, named ? "the token's issuer is not known here"
                                              : "the token is no JWT of at most 8 KiB"};
  look_for_new_keys(*found);
  auto claims = verify_jwt(token, found->keys, found->rules, now);
  if (!claims) return claims.error();
  proven_player out{player_id_of(found->name, claims->subject), std::move(claims->name)};
  if (!may_be_shown(out.name)) out.name = out.player_id;
  return out;
}

}  // namespace skirmish::sessions
