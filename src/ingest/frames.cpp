#include "ingest/frames.hpp"

#include <fmt/format.h>

#include <utility>

namespace skirmish::ingest {
namespace {

constexpr std::size_t digest_digits = 48;

}  // namespace

stream_id::stream_id(format f, const parser_options& options, frame_limits limits) : format_(f) {
  update(fmt::format("skirmish replay {} {} {} {} {} {}\n", mapping_version, to_string(f),
                     options.origin.lat, options.origin.lon, limits.events, limits.span.count()));
  if (!options.server.empty()) update(fmt::format("of {}\n", options.server));
}

void stream_id::update(std::string_view bytes) { digest_.update(bytes); }

std::string stream_id::finish() const {
  return fmt::format("{}-{}", to_string(format_), digest_.hex().substr(0, digest_digits));
}

void frame_builder::close(std::vector<frame>& out) {
  const auto next = open_.seq + 1;
  out.push_back(std::exchange(open_, frame{}));
  open_.seq = next;
}

void frame_builder::add(std::vector<log_event>& events, std::vector<frame>& out) {
  for (auto& [at, what] : events) {
    if (auto* player = std::get_if<player_seen>(&what)) {
      open_.players.push_back(std::move(*player));
      continue;
    }
    if (auto* level = std::get_if<level_seen>(&what)) {
      open_.levels.push_back(std::move(*level));
      continue;
    }
    const bool full = open_.events.size() >= limits_.events || at - open_.at >= limits_.span;
    if (full && !open_.events.empty()) close(out);
    if (open_.events.empty()) open_.at = at;
    open_.events.push_back(std::move(what));
  }
  events.clear();
}

void frame_builder::flush(std::vector<frame>& out) {
  if (!open_.events.empty()) close(out);
}

void frame_builder::finish(std::vector<frame>& out) {
  if (!open_.events.empty() || !open_.players.empty() || !open_.levels.empty()) close(out);
}

}  // namespace skirmish::ingest
