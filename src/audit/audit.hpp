// The audit log: what operators have changed.
//
// A change is noted before it is made: in Redis, which is as durable as everything acknowledged,
// and from there it moves to SQL within a second. While Redis is away it is noted in SQL at once.
// When neither takes the note, the change is refused (docs/decisions/0019).
#pragma once

#include "core/asio.hpp"
#include "core/clock.hpp"
#include "db/database.hpp"
#include "http/router.hpp"
#include "redis/client.hpp"
#include "redis/key_space.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skirmish::audit {

struct change {
  std::string id;  // grows with time
  timestamp at;
  std::string key_id;
  std::string label;   // of the key
  std::string method;  // WEBSOCKET for a socket that was opened
  std::string route;   // its pattern
  std::string target;  // JSON: the parameters of the path
  std::string request_id;
  std::string address;        // of the caller
  std::optional<int> status;  // of the answer; nullopt while it is not known
};

struct filter {
  std::string key_id;  // empty: all
  std::string route;   // a pattern; empty: all
  std::optional<timestamp> since;
  std::string cursor;  // the id of the last one of the page before
  std::int64_t limit = 50;
};

struct page {
  std::vector<change> items;  // the newest first
  bool more = false;
};

// What SQL has; for the route and for `skirmish audit`.
awaitable<page> list(db::database& db, filter f);

// For a change by the command line, which has no request: notes it in Redis and returns the note's
// id, fills in id and time. Throws unavailable when Redis does not take the note.
awaitable<std::string> note_command(redis::client& redis, const redis::key_space& keys, change c);
awaitable<void> note_status(redis::client& redis, const redis::key_space& keys, std::string note,
                            int status);

// Of one server thread.
class log final : public http::change_recorder {
 public:
  static constexpr std::int64_t pending_limit = 100'000;

  log(redis::client& redis, db::database& db, const redis::key_space& keys, const clock& time)
      : redis_(redis), db_(db), keys_(keys), clock_(time) {}

  // Throws unavailable when the note cannot be kept.
  awaitable<std::string> begin(const http::exchange& x, http::verb method,
                               std::string pattern) override;
  awaitable<void> end(std::string note, int status) override;
  // The same for a socket: what it will send is not noted by itself.
  awaitable<void> note_socket(const http::exchange& x);

  // Moves notes to SQL, and drops those older than `keep`; until cancelled. For one thread of each
  // server.
  awaitable<void> run_mover(std::chrono::milliseconds keep);
  // One step of that: drops some of the oldest, and waits for SQL for a bounded time. True when
  // there may be more.
  awaitable<bool> drop_old(std::chrono::milliseconds keep);

 private:
  awaitable<std::string> note(change c);
  awaitable<bool> note_in_redis(const change& c);
  awaitable<bool> move_some();

  redis::client& redis_;
  db::database& db_;
  const redis::key_space& keys_;
  const clock& clock_;
};

}  // namespace skirmish::audit
