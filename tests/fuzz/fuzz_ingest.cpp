// Any bytes through all log parsers.
#include "core/ids.hpp"
#include "core/parse.hpp"
#include "ingest/frames.hpp"
#include "ingest/text.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace skirmish;
using namespace skirmish::ingest;

void require(bool condition) {
  if (!condition) std::abort();
}

// Applies events as the server does, and checks what every event promises.
struct world {
  std::map<std::string, std::int64_t> hp;

  void known(const std::string& player) const { require(hp.contains(player)); }
  void operator()(const player_seen& e) {
    const auto is_first_byte = [](char c) { return (c & 0xC0) != 0x80; };
    require(is_valid_id(e.player_id) && !e.name.empty());
    require(std::ranges::count_if(e.name, is_first_byte) <= 64);
    require(is_valid_utf8(e.name) && hp.emplace(e.player_id, 100).second);
  }
  void operator()(const level_seen& e) const {
    require(is_valid_id(e.level_id) && is_valid_utf8(e.name) && !e.name.empty());
  }
  void operator()(const attack& e) {
    known(e.attacker_id);
    known(e.target_id);
    require(e.damage >= 0 && (e.weapon.empty() || is_valid_id(e.weapon)));
    auto& target = hp[e.target_id];
    target = std::max<std::int64_t>(0, target - e.damage);
    require(target == e.health_after);
  }
  void operator()(const move& e) const {
    known(e.player_id);
    require(std::abs(e.lat) <= 85.0511287 && std::abs(e.lon) <= 180 && std::isfinite(e.alt));
  }
  void operator()(const respawn& e) {
    known(e.player_id);
    require(e.hp >= 0 && e.hp <= 1'000'000'000);
    hp[e.player_id] = e.hp;
  }
  void operator()(const score& e) const { known(e.player_id); }
  void operator()(const item& e) const {
    known(e.player_id);
    require(is_valid_id(e.item));
  }
  void operator()(const completion& e) const {
    known(e.player_id);
    require(is_valid_id(e.level_id));
  }
  void operator()(const chat& e) const {
    require(is_valid_id(e.channel) && is_valid_id(e.from) && is_valid_utf8(e.text));
  }
};

totals parse(format f, std::string_view bytes, std::size_t chunk_bytes) {
  const auto parser = make_parser(f, geo_origin{});
  world w;
  std::vector<log_event> events;
  const auto apply = [&] {
    for (const auto& e : events) std::visit(w, e.what);
    events.clear();
  };
  while (!bytes.empty()) {
    bytes.remove_prefix(parser->feed(bytes.substr(0, chunk_bytes), events));
    apply();
  }
  parser->finish(events);
  apply();
  return parser->counted();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::size_t chunk_bytes = size == 0 ? 1 : 1 + data[0];
  for (const auto f : {format::source, format::quake3, format::xonotic})
    require(parse(f, bytes, chunk_bytes) == parse(f, bytes, bytes.size()));
  detect(bytes);
  // An id made of a name is valid, and no other name's: its own id is another one.
  for (const auto& id : {to_id(bytes), name_to_id(bytes)})
    require(is_valid_id(id) && (id == bytes || to_id(id) != id));
  return 0;
}
