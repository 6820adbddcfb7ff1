// One HTTP request and the status of its answer, over TCP or TLS with a certificate that is
// checked.
#pragma once

#include "core/asio.hpp"
#include "status/probe_url.hpp"

#include <string>

namespace skirmish::status {

struct http_outcome {
  int status = 0;
  double latency_ms = 0;  // of the connection
};

// `target` is http or https; `request` the whole of it, with `Connection: close`. Throws what the
// network does. No time limit: the caller cancels.
awaitable<http_outcome> exchange_http(probe_target target, std::string request);

}  // namespace skirmish::status
