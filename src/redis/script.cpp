#include "redis/script.hpp"

#include "core/error.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <stdexcept>

namespace skirmish::redis {
namespace {

std::string sha1_hex(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr) != 1)
    throw failure(errc::internal, "OpenSSL has no SHA-1");
  std::string hex;
  for (unsigned int i = 0; i < size; ++i) hex += fmt::format("{:02x}", digest[i]);
  return hex;
}

void push(request& to, std::string_view command, std::string_view code, string_views keys,
          string_views args) {
  const auto count = std::to_string(keys.size());
  std::vector<std::string_view> words{command, code, count};
  words.reserve(words.size() + keys.size() + args.size());
  words.insert(words.end(), keys.begin(), keys.end());
  words.insert(words.end(), args.begin(), args.end());
  push_command(to, words);
}

}  // namespace

script::script(std::string name, std::string source)
    : name_(std::move(name)), source_(std::move(source)), sha1_(sha1_hex(source_)) {}

void push_command(request& to, string_views words) {
  if (words.empty()) throw std::invalid_argument("a Redis command needs a name");
  const auto arguments = words.subspan(1);
  // push_range() adds nothing at all for an empty range.
  if (arguments.empty())
    to.push(words.front());
  else
    to.push_range(words.front(), arguments.begin(), arguments.end());
}

void push_evalsha(request& to, const script& code, string_views keys, string_views args) {
  push(to, "EVALSHA", code.sha1(), keys, args);
}

void push_eval(request& to, const script& code, string_views keys, string_views args) {
  push(to, "EVAL", code.source(), keys, args);
}

bool is_noscript(const value& reply) noexcept {
  return reply.is_error() && reply.as_string().starts_with("NOSCRIPT");
}

}  // namespace skirmish::redis
