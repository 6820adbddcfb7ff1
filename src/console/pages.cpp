#include "console/pages.hpp"

#include "core/digest.hpp"
#include "http/gzip.hpp"
#include "http/page_policy.hpp"
#include "http/problem.hpp"

#include <map>
#include <memory>
#include <string>

namespace skirmish::console {
namespace {

using namespace http;

constexpr std::string_view not_built =
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Skirmish</title>"
    "<p>This program was built without its pages. `./dev setup build` installs Node, and "
    "`./dev run` builds them. The API is described at <a href=\"docs\">/docs</a>.</p></html>";

struct page {
  std::string content_type;
  std::string etag;
  std::shared_ptr<const std::string> gzipped;
  std::shared_ptr<const std::string> plain;
};
using pages = std::map<std::string, page, std::less<>>;

std::string type_of(std::string_view name) {
  if (name.ends_with(".html")) return "text/html; charset=utf-8";
  if (name.ends_with(".js")) return "text/javascript; charset=utf-8";
  if (name.ends_with(".css")) return "text/css; charset=utf-8";
  if (name.ends_with(".svg")) return "image/svg+xml";
  if (name.ends_with(".json")) return "application/json";
  return "application/octet-stream";
}

page page_of(std::string_view name, std::string gzipped, std::string plain) {
  return {type_of(name), '"' + digest_of(plain) + '"',
          std::make_shared<const std::string>(std::move(gzipped)),
          std::make_shared<const std::string>(std::move(plain))};
}

// Of the whole process: unpacked once.
const pages& all_pages() {
  static const pages all = [] {
    pages out;
    for (const auto& f : embedded_files()) {
      std::string gzipped(f.gzipped.begin(), f.gzipped.end());
      auto plain = gunzip(gzipped);
      out.emplace(f.name, page_of(f.name, std::move(gzipped), std::move(plain)));
    }
    for (const char* name : {"index.html", "console.html"})
      if (!out.contains(name))
        out.emplace(name, page_of(name, gzip(not_built), std::string(not_built)));
    return out;
  }();
  return all;
}

response serve(const exchange& x, std::string_view name, std::string_view cache_control) {
  const auto& all = all_pages();
  const auto found = all.find(name);
  if (found == all.end()) return problem({errc::not_found, "there is no such file"}, x.request_id);
  const page& p = found->second;
  response r;
  r.content_type = p.content_type;
  r.with("ETag", p.etag)
      .with("Cache-Control", std::string(cache_control))
      .with("Vary", "Accept-Encoding");
  with_page_policy(r);
  if (matches_etag(x.req.header("if-none-match"), p.etag)) {
    r.status = 304;
    r.content_type.clear();
  } else if (accepts_gzip(x.req.header("accept-encoding"))) {
    r.shared_body = p.gzipped;
    r.with("Content-Encoding", "gzip");
  } else {
    r.shared_body = p.plain;
  }
  return r;
}

handler serving(std::string name) {
  return [name = std::move(name)](exchange& x) -> awaitable<response> {
    co_return serve(x, name, "no-cache");
  };
}

}  // namespace

void add_pages(router& routes) {
  routes.add({verb::get, "/", access::anyone, "The public page", serving("index.html")})
      .gives_text("text/html")
      .gives(304, {}, "")
      .costs(0);
  routes
      .add({verb::get, "/console", access::anyone, "The operators' page", serving("console.html")})
      .gives_text("text/html")
      .gives(304, {}, "")
      .costs(0);
  routes
      .add({verb::get, "/widget.js", access::anyone, "Shows the status or a board in another site",
            serving("widget.js")})
      .gives_text("text/javascript")
      .gives(304, {}, "")
      .refuses({404})
      .costs(0);
  // Their names hold a digest of their content.
  const auto asset = [](exchange& x) -> awaitable<response> {
    co_return serve(x, "assets/" + x.path("name"), "public, max-age=31536000, immutable");
  };
  routes.add({verb::get, "/assets/{name}", access::anyone, "A file of the pages", asset})
      .gives_text("*/*")
      .gives(304, {}, "")
      .refuses({404})
      .costs(0);
}

}  // namespace skirmish::console
