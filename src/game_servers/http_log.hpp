// The log that a game server sends by HTTP (`logaddress_add_http` of Counter-Strike: Global
// Offensive and Counter-Strike 2), each line of it once.
//
// A request carries the offsets of its body in the server's log. A server's log is a stream whose
// numbers are these offsets: what is committed up to an offset is skipped when it comes again, also
// after a crash of either side. Lines that end within a request are committed; the beginning of one
// that does not is kept until the next request, at its offset.
//
// Another log begins with another `token`, which a server draws when it starts, or with other bytes
// at offset 0. A gap (the server gave up sending something) is counted and passed over.
#pragma once

#include "game_servers/event_writer.hpp"
#include "game_servers/log_states.hpp"
#include "metrics/registry.hpp"
#include "redis/client.hpp"
#include "redis/key_space.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace skirmish::game_servers {

struct log_range {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;  // not before `begin`
};

struct log_post {
  std::string server;              // ingest::is_server_name
  std::string token;               // may be empty
  std::optional<log_range> range;  // absent: nobody can tell whether it comes again
  std::string_view body;
};

struct post_summary {
  std::uint64_t lines = 0;
  std::uint64_t unknown_lines = 0;
  std::uint64_t events = 0;  // applied now
  std::uint64_t rejected = 0;
  std::uint64_t repeated_bytes = 0;        // had come before
  std::uint64_t missed_bytes = 0;          // will never come
  std::optional<std::uint64_t> committed;  // the offset up to which all is done
};

class http_log {
 public:
  http_log(event_writer& writer, redis::client& redis, const redis::key_space& keys,
           log_states& states, ingest::geo_origin origin, metrics::registry& metrics);

  // too_large when the offsets do not fit the body and it gives more events than fit one frame.
  // Throws failure{unavailable} when it could not be written as a whole, or another request for
  // this server is under way; the same may be sent again.
  awaitable<result<post_summary>> apply(log_post post);

 private:
  struct reading;  // one request under way

  awaitable<log_record> load(const std::string& server);
  awaitable<void> save(const log_record& record, const std::string& server);
  awaitable<result<post_summary>> apply_without_offsets(log_state& state, const log_post& post);
  static void place_body(reading& r, const log_post& post);
  void skip_known(reading& r, const log_state& state) const;
  static void keep_unfinished(reading& r);
  awaitable<result<post_summary>> apply_at(log_state& state, const log_post& post);
  awaitable<result<void>> apply_lines(reading& r);
  awaitable<result<void>> commit(reading& r, log_block& block, std::uint64_t up_to);
  std::unique_ptr<ingest::log_parser> new_parser(const std::string& server) const;

  event_writer& writer_;
  redis::client& redis_;
  const redis::key_space& keys_;
  log_states& states_;
  ingest::geo_origin origin_;
  metrics::counter& lines_;
  metrics::counter& unknown_lines_;
  metrics::counter& applied_bytes_;
  metrics::counter& repeated_bytes_;
  metrics::counter& missed_bytes_;
  metrics::counter& unnumbered_;
};

}  // namespace skirmish::game_servers
