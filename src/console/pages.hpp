// The pages of web/: built by its scripts, embedded in the program, and served with a policy that
// lets nothing else run in them.
#pragma once

#include "http/router.hpp"

#include <span>
#include <string_view>

namespace skirmish::console {

struct embedded_file {
  std::string_view name;  // "console.html", "assets/console-3FZ2.js"
  std::span<const unsigned char> gzipped;
};

// Generated at build time (cmake/pages.cmake). Empty when the pages were not built.
std::span<const embedded_file> embedded_files();

// /, /console, /assets/{name}, /widget.js.
void add_pages(http::router& routes);

}  // namespace skirmish::console
