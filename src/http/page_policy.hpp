// What every page of this server may do: run and show what comes from this server, and nothing
// else.
#pragma once

#include "http/message.hpp"

namespace skirmish::http {

inline void with_page_policy(response& r) {
  r.with("Content-Security-Policy",
         "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
         "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; "
         "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'")
      .with("Referrer-Policy", "no-referrer")
      .with("Cross-Origin-Opener-Policy", "same-origin");
}

}  // namespace skirmish::http
