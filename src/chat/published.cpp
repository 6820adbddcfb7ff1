#include "chat/published.hpp"

#include "core/asio.hpp"

#include <boost/json/parse.hpp>

namespace skirmish::chat {
namespace {

namespace json = boost::json;

// The text of that member; nullptr when it is absent or no text.
const json::string* text_of(const json::object& of, std::string_view name) {
  const auto* member = of.if_contains(name);
  return member ? member->if_string() : nullptr;
}

}  // namespace

published read_published(std::string_view payload) {
  published out;
  error_code ec;
  const auto value = json::parse(payload, ec);
  const auto* whole = ec ? nullptr : value.if_object();
  if (!whole) return out;
  const auto* ban = whole->if_contains("banned");
  if (const auto* notice = ban ? ban : whole->if_contains("removed")) {
    out.what = ban ? published::kind::banned : published::kind::removed;
    const auto* body = notice->if_object();
    const auto* who = body ? text_of(*body, "player_id") : nullptr;
    if (who) out.player_id = *who;
  } else if (whole->contains("deleted")) {
    out.what = published::kind::deleted;
  } else if (const auto* id = text_of(*whole, "id"); id && text_of(*whole, "channel")) {
    if (const auto parsed = parse_stream_id(*id)) {
      out.what = published::kind::message;
      out.id = *parsed;
    }
  }
  return out;
}

}  // namespace skirmish::chat
