// Lua scripts: a name for logs, the source, and its SHA-1, computed once.
//
//   const redis::script commit{"commit",
//   #include "players/commit.lua.inc"
//   };
//
// `client::eval` runs one by its digest and loads it when Redis does not know it (any more). In a
// pipeline of your own, push_evalsha() adds the call, and a reply for which is_noscript() holds was
// not executed.
#pragma once

#include "redis/value.hpp"

#include <boost/redis/request.hpp>

#include <span>
#include <string>
#include <string_view>

namespace skirmish::redis {

using boost::redis::request;
using string_views = std::span<const std::string_view>;

class script {
 public:
  script(std::string name, std::string source);
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] const std::string& source() const noexcept { return source_; }
  // 40 lower-case hexadecimal digits.
  [[nodiscard]] const std::string& sha1() const noexcept { return sha1_; }

 private:
  std::string name_;
  std::string source_;
  std::string sha1_;
};

// Adds one command with as many arguments as there are (at least one: the command's name).
void push_command(request& to, string_views words);
// EVALSHA sha numkeys keys… args…
void push_evalsha(request& to, const script& code, string_views keys, string_views args);
// EVAL source numkeys keys… args…, which also makes later EVALSHAs of it succeed.
void push_eval(request& to, const script& code, string_views keys, string_views args);

// True for the error reply that says that EVALSHA's script is not loaded.
bool is_noscript(const value& reply) noexcept;

}  // namespace skirmish::redis
