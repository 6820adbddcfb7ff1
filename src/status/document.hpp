// The status document: what it says, how it is made of the rows of `constants`, and its JSON.
#pragma once

#include "core/clock.hpp"
#include "core/error.hpp"
#include "status/observation.hpp"

#include <boost/json/fwd.hpp>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skirmish::status {

// One row as the database holds it: any column may be NULL, and Value may be a text.
struct constant_row {
  std::optional<std::string> name;
  std::optional<std::string> value;
  std::optional<std::string> description;
};

struct document {
  // Missing rows take these values.
  double server_status = 1.0;
  double rate_exp = 1.0;
  double rate_pvp = 1.0;
  double rate_pve = 1.0;
  double rate_color_mob = 1.0;
  double rate_skill = 1.0;
  double client_status = 256.0;
  timestamp updated_at{};  // when the rows were read
  // When a status worker last refreshed it by the clock; timestamp{}: not known. Older than
  // updated_at when a reader found no document and filled the cache.
  timestamp scheduled_at{};
  std::map<std::string, std::string> meta;  // Name: Description
  // What the probe says; nothing when none is configured.
  std::optional<observation> game;
};

// What the rows say. Each thing wrong with them is one complaint, and the other rows still count.
struct reading {
  document made;
  std::vector<std::string> complaints;
};
reading read_constants(const std::vector<constant_row>& rows, timestamp now);

// Bounds of what is taken over into `_meta`.
inline constexpr std::size_t meta_entries_max = 256;
inline constexpr std::size_t description_limit_bytes = 1024;

// The JSON object that is kept under `server:status`. `tail` is put before the closing brace (for
// `_cache`): empty, or members with a comma in front.
std::string to_json(const document& d, std::string_view tail = {});

// Reads such an object, also one that another program wrote: members that are missing or of another
// type take their defaults, `updated_at` may be a number or an ISO 8601 time without a zone (UTC),
// and without `scheduled_at` its writer is taken for the one that refreshes. Nothing when it is no
// JSON object.
std::optional<document> parse_document(std::string_view text);

// The members that tell of a game server, with a comma in front; and reading them back.
std::string game_members(const observation& game);
std::optional<observation> read_game(const boost::json::object& in);

// A weak ETag: the same for the same document, whatever its age says.
std::string etag_of(const document& d, bool is_stale);

}  // namespace skirmish::status
