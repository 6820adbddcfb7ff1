#include "game_servers/event_writer.hpp"

#include "core/log.hpp"
#include "http/exchange.hpp"

#include <utility>

namespace skirmish::game_servers {

void log_block::add(std::vector<ingest::log_event>& from) {
  for (auto& [at, what] : from) {
    if (auto* player = std::get_if<ingest::player_seen>(&what))
      players.push_back(std::move(*player));
    else if (auto* level = std::get_if<ingest::level_seen>(&what))
      levels.push_back(std::move(*level));
    else
      events.push_back(std::move(what));
  }
  from.clear();
}

event_writer::event_writer(interactions::engine& engine, const clock& time, maker player,
                           maker level, skirmish::chat::channel_rules chats,
                           metrics::registry& metrics)
    : engine_(engine),
      clock_(time),
      make_player_(std::move(player)),
      make_level_(std::move(level)),
      chats_(std::move(chats)),
      events_(metrics.add_counter("skirmish_ingest_events_total",
                                  "Events of live logs that were applied.")),
      rejected_(metrics.add_counter("skirmish_ingest_events_rejected_total",
                                    "Events of live logs that were refused one by one.")) {}

namespace {

// A function of its own: g++ 12 miscompiles the list of fields in a coroutine.
void warn_of_fact(const char* what, const std::string& id, const failure& e) {
  log::warn("ingest_fact_refused", {{"what", what}, {"id", id}, {"error", e.what()}});
}

}  // namespace

// What cannot exist makes its events be rejected, and nothing else.
awaitable<void> event_writer::make(const maker& how, const char* what, std::string id,
                                   std::string name) {
  try {
    co_await how(id, std::move(name));
  } catch (const failure& e) {
    if (e.code() == errc::unavailable || e.code() == errc::deadline_exceeded) throw;
    warn_of_fact(what, id, e);
  }
}

awaitable<result<written>> event_writer::write(const log_block& block,
                                               std::optional<interactions::stream_position> place) {
  for (const auto& p : block.players) co_await make(make_player_, "player", p.player_id, p.name);
  for (const auto& l : block.levels) co_await make(make_level_, "level", l.level_id, l.name);
  const http::principal log_reader{http::role::server, "ingest"};
  const auto now = clock_.now();
  interactions::frame f;
  f.position = std::move(place);
  std::size_t unreadable = 0;
  for (const auto& e : block.events) {
    auto wire = ingest::to_wire(e);
    if (!wire) continue;
    auto event =
        interactions::decode_event(boost::json::value(std::move(*wire)), log_reader, now, chats_);
    if (!event) {
      ++unreadable;
      continue;
    }
    f.indices.push_back(f.events.size());
    f.events.push_back(std::move(*event));
  }
  if (f.events.empty() && !f.position) co_return written{0, unreadable, false};
  const auto out = co_await engine_.commit(std::move(f));
  if (out.failed && out.failed->code == errc::conflict) co_return *out.failed;
  if (out.failed) throw failure(out.failed->code, out.failed->message);
  const written done{out.accepted, out.rejected.size() + unreadable, out.duplicate};
  events_.add(done.events);
  rejected_.add(done.rejected);
  co_return done;
}

}  // namespace skirmish::game_servers
