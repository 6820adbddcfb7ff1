// Sends a log to a server as one numbered stream, so that each event is applied once, whatever
// breaks in between.
#pragma once

#include "api_client/api_client.hpp"
#include "ingest/frames.hpp"
#include "ingest/ingest.hpp"
#include "replay/stream_sender.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace skirmish::cli {

struct replay_plan {
  std::string file;
  ingest::format format = ingest::format::source;
  ingest::geo_origin origin;
  std::string server;           // the game server's name (ingest::parser_options); may be empty
  std::optional<double> speed;  // times the match's own; nothing: as fast as it goes
  bool show_progress = false;   // a bar on standard error
  // How long a server that does not answer is waited for before the replay gives up.
  std::chrono::seconds patience{30};
};

// The plan for a file; `format` is auto, source, quake3 or xonotic. Throws usage_error when it
// cannot be read or recognised.
replay_plan plan_for(const std::string& file, const std::string& format);

struct replay_summary {
  ingest::totals file;  // what the file holds
  sent_events sent;     // what became of it
  double seconds = 0;
};

// Throws failure when the file cannot be read or the server refuses or stays away.
awaitable<replay_summary> replay(asio::io_context& io, replay_plan plan, server_address server,
                                 std::string api_key);

// The same, blocking, for callers without an event loop. `url` as in --url.
replay_summary replay_into(const replay_plan& plan, const std::string& url,
                           const std::string& api_key);

std::string to_json(const replay_summary& s);
std::string to_table(const replay_summary& s);

}  // namespace skirmish::cli
