// Chat over HTTP and over WebSocket.
#pragma once

#include "chat/chat.hpp"
#include "chat/hub.hpp"
#include "chat/moderation.hpp"
#include "chat/presence.hpp"
#include "http/router.hpp"
#include "realtime/realtime.hpp"

namespace skirmish::chat {

void add_routes(http::router& routes, service& chat, presence& present, lists& listed);

// `{"chat":{"channel","text","from"?}}` → `{"sent":{"id"}}`, and subscriptions to chat channels and
// to `presence:<channel>` (pushes `{"presence":{"channel","player_id","event":"join"|"leave"}}`).
void add_messages(realtime::gateway& gateway, service& chat, hub& fan_out);

}  // namespace skirmish::chat
