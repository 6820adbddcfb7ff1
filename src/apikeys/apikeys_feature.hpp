// API keys as one feature of a server thread: their routes, and when each was used last.
#pragma once

#include "apikeys/apikeys.hpp"
#include "apikeys/apikeys_routes.hpp"
#include "core/task_group.hpp"

namespace skirmish::apikeys {

class feature {
 public:
  feature(redis::client& redis, db::database& db, const redis::key_space& keys, const clock& time,
          verifier& verifier)
      : redis_(redis), keys_(keys), verifier_(verifier), store_(db, time) {}

  void add_to(http::router& routes) { add_api_key_routes(routes, store_, redis_, keys_); }

  // One thread is enough: the verifier belongs to the whole process, and writes a few rows per
  // minute.
  void start_on_first(task_group& group) {
    group.keep_running("key_uses", [this] { return verifier_.run_use_writer(); });
  }

 private:
  redis::client& redis_;
  const redis::key_space& keys_;
  verifier& verifier_;
  apikeys::store store_;
};

}  // namespace skirmish::apikeys
