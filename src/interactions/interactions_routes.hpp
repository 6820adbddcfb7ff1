// Interactions over HTTP and over WebSocket.
#pragma once

#include "http/gate.hpp"
#include "http/router.hpp"
#include "interactions/attack_records.hpp"
#include "interactions/interactions.hpp"
#include "realtime/realtime.hpp"

namespace skirmish::interactions {

// What one request or frame may hold.
struct event_limits {
  std::size_t batch = 0;  // events
  skirmish::chat::channel_rules chats;
  // What counts events of type chat, and as what; null: nothing does.
  http::gate* gate = nullptr;
  http::gate::target chat_events = http::gate::unlimited;
};

void add_routes(http::router& routes, engine& engine, const clock& time,
                const event_limits& limits);
void add_routes(http::router& routes, attack_records& records);

// The WebSocket message `{"seq":17,"interactions":[…]}`, answered by `{"ack":17}` when every frame
// up to it is committed. Rejected events are told before, one `{"reject":{…}}` each. Without a
// `seq` (and a `cid` instead) the answer is
// `{"cid":"…","accepted":n}`.
void add_messages(realtime::gateway& gateway, engine& engine, const clock& time,
                  const event_limits& limits);

// Numbered frames of a socket that is opened with `?stream=<id>`: it becomes the stream's writer.
void add_streams(realtime::gateway& gateway, engine& engine, const redis::key_space& keys);

}  // namespace skirmish::interactions
