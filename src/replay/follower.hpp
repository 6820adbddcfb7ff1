// Follows a log that a game server is writing, and applies each of its lines once.
#pragma once

#include "replay/replayer.hpp"

#include <atomic>
#include <string>

namespace skirmish::cli {

struct follow_plan {
  std::string file;                      // may not exist yet
  std::optional<ingest::format> format;  // nothing: recognised by its first lines
  ingest::geo_origin origin;
  std::string server;  // the game server's name (ingest::parser_options); may be empty
  // Where what a restart needs is kept; empty: beside the log, with ".follow" behind its name.
  std::string state_file;
  const std::atomic<bool>* stop = nullptr;  // ends it, once everything that was read is applied
};

// A file's lines are a stream of their own, whose name the state file holds; the events of one line
// are a frame (more than one when there are more than 250). So the number that the server has
// committed says which lines are done, and a file that is read from its beginning goes on there.
//
// A last line without an ending waits for it. When the file is renamed and another takes its name,
// the rest of the old one is read, then the new one from its beginning, as a stream of its own;
// when it was truncated, likewise. A file that was renamed while nobody followed is looked for in
// the same directory. Lines that come and go between two looks, or in files that were renamed,
// packed and replaced meanwhile, are nobody's.
//
// Waits for a server that is away for as long as it takes. Throws failure when the server refuses,
// or the state cannot be read or written.
replay_summary follow(const follow_plan& plan, const std::string& url, const std::string& api_key);

}  // namespace skirmish::cli
