// JSON Web Tokens and the key sets that sign them: refused with a reason, and nothing accepted that
// no key has signed.
#include "sessions/jwt.hpp"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skirmish;
  using namespace skirmish::sessions;
  if (size == 0) return 0;
  // The first byte chooses what the rest is.
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 2 == 0) {
    const auto keys = jwt_key_set::parse(text);
    if (!keys && keys.error().message.empty()) std::abort();
    return 0;
  }
  // RFC 8037, appendix A.2; whose other half nobody here knows.
  static const auto keys = *jwt_key_set::parse(
      R"({"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]})");
  const jwt_rules rules{.issuer = unverified_issuer(text).value_or(""), .audiences = {"game"}};
  const timestamp now{std::chrono::seconds{1'700'000'000}};
  const auto claims = verify_jwt(text, keys, rules, now);
  if (claims || claims.error().message.empty()) std::abort();
  return 0;
}
