#include "sessions/jwt.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <fmt/format.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <sodium.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace skirmish::sessions {
namespace {

namespace json = boost::json;

constexpr int rsa_bits_min = 2048;
constexpr int rsa_bits_max = 8192;  // what a check costs grows with their square
constexpr std::size_t es256_half_bytes = 32;

template <auto Free>
struct freed_by {
  template <class T>
  void operator()(T* p) const noexcept {
    Free(p);
  }
};
template <class T, auto Free>
using owned = std::unique_ptr<T, freed_by<Free>>;

using owned_key = owned<EVP_PKEY, EVP_PKEY_free>;
using owned_key_context = owned<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;
using owned_number = owned<BIGNUM, BN_free>;

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

error refused(std::string why) { return {errc::unauthenticated, std::move(why)}; }

// RFC 4648, section 5, without padding; nullopt for anything else.
std::optional<std::string> from_base64url(std::string_view text) {
  std::string out(text.size() * 3 / 4 + 1, '\0');
  std::size_t size = 0;
  const char* end = nullptr;
  const int failed = sodium_base642bin(reinterpret_cast<unsigned char*>(out.data()), out.size(),
                                       text.data(), text.size(), nullptr, &size, &end,
                                       sodium_base64_VARIANT_URLSAFE_NO_PADDING);
  if (failed != 0 || end != text.data() + text.size()) return std::nullopt;
  out.resize(size);
  return out;
}

std::optional<json::object> parse_object(std::string_view text) {
  json::parse_options options;
  options.max_depth = 8;
  boost::system::error_code ec;
  auto value = json::parse(text, ec, {}, options);
  if (ec || !value.is_object()) return std::nullopt;
  return std::move(value.get_object());
}

// A member that is a string; empty when there is none.
std::string_view text_of(const json::object& from, std::string_view name) {
  const auto* found = from.if_contains(name);
  return found && found->is_string() ? std::string_view(found->get_string()) : std::string_view();
}

// ---- keys ---------------------------------------------------------------------------------------

owned_key key_from(const char* type, OSSL_PARAM* parameters) {
  const owned_key_context context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* made = nullptr;
  if (!context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &made, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
    return {};
  owned_key out(made);
  const owned_key_context check(EVP_PKEY_CTX_new_from_pkey(nullptr, made, nullptr));
  if (!check || EVP_PKEY_public_check(check.get()) != 1) return {};
  return out;
}

using owned_builder = owned<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free>;
using owned_parameters = owned<OSSL_PARAM, OSSL_PARAM_free>;

owned_key rsa_key(const json::object& jwk) {
  const auto n = from_base64url(text_of(jwk, "n"));
  const auto e = from_base64url(text_of(jwk, "e"));
  if (!n || !e || n->empty() || e->empty() || n->size() > rsa_bits_max / 8 || e->size() > 8)
    return {};
  const owned_number modulus(BN_bin2bn(bytes_of(*n), static_cast<int>(n->size()), nullptr));
  const owned_number exponent(BN_bin2bn(bytes_of(*e), static_cast<int>(e->size()), nullptr));
  const owned_builder builder(OSSL_PARAM_BLD_new());
  if (!modulus || !exponent || !builder ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get()) != 1)
    return {};
  const owned_parameters parameters(OSSL_PARAM_BLD_to_param(builder.get()));
  auto key = key_from("RSA", parameters.get());
  if (key && EVP_PKEY_get_bits(key.get()) < rsa_bits_min) return {};
  return key;
}

owned_key p256_key(const json::object& jwk) {
  const auto x = from_base64url(text_of(jwk, "x"));
  const auto y = from_base64url(text_of(jwk, "y"));
  if (!x || !y || x->size() != es256_half_bytes || y->size() != es256_half_bytes) return {};
  const auto point = '\x04' + *x + *y;  // uncompressed: SEC 1, section 2.3.3
  const owned_builder builder(OSSL_PARAM_BLD_new());
  if (!builder ||
      OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) != 1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                       point.size()) != 1)
    return {};
  const owned_parameters parameters(OSSL_PARAM_BLD_to_param(builder.get()));
  return key_from("EC", parameters.get());
}

owned_key ed25519_key(const json::object& jwk) {
  const auto x = from_base64url(text_of(jwk, "x"));
  if (!x || x->size() != crypto_sign_PUBLICKEYBYTES) return {};
  return owned_key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes_of(*x), x->size()));
}

struct algorithm_entry {
  jwt_algorithm is;
  std::string_view name;
  std::string_view type;   // `kty`
  std::string_view curve;  // `crv`; empty: it has none
  owned_key (*make)(const json::object& jwk);
};
constexpr std::array algorithms{
    algorithm_entry{jwt_algorithm::rs256, "RS256", "RSA", "", rsa_key},
    algorithm_entry{jwt_algorithm::es256, "ES256", "EC", "P-256", p256_key},
    algorithm_entry{jwt_algorithm::eddsa, "EdDSA", "OKP", "Ed25519", ed25519_key},
};

std::string_view to_string(jwt_algorithm a) { return algorithms[static_cast<std::size_t>(a)].name; }

// nullptr for a key that is for something else.
const algorithm_entry* algorithm_of(const json::object& jwk) {
  const auto use = text_of(jwk, "use");
  if (!use.empty() && use != "sig") return nullptr;
  const auto algorithm = text_of(jwk, "alg");
  for (const auto& a : algorithms)
    if (text_of(jwk, "kty") == a.type && text_of(jwk, "crv") == a.curve)
      return algorithm.empty() || algorithm == a.name ? &a : nullptr;
  return nullptr;
}

// ---- tokens -------------------------------------------------------------------------------------

struct token_parts {
  json::object header;
  json::object payload;
  std::string signature;
  std::string_view signed_part;
};

std::optional<token_parts> split(std::string_view token) {
  if (token.size() > jwt_max_bytes) return std::nullopt;
  const auto first = token.find('.');
  const auto second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  const auto header = from_base64url(token.substr(0, first));
  const auto payload = from_base64url(token.substr(first + 1, second - first - 1));
  auto signature = from_base64url(token.substr(second + 1));
  if (!header || !payload || !signature) return std::nullopt;
  auto header_object = parse_object(*header);
  auto payload_object = parse_object(*payload);
  if (!header_object || !payload_object) return std::nullopt;
  return token_parts{std::move(*header_object), std::move(*payload_object), std::move(*signature),
                     token.substr(0, second)};
}

// The two numbers of an ES256 signature (RFC 7518, section 3.4) in the form that OpenSSL takes.
std::optional<std::string> to_der(std::string_view signature) {
  if (signature.size() != 2 * es256_half_bytes) return std::nullopt;
  owned_number r(BN_bin2bn(bytes_of(signature), es256_half_bytes, nullptr));
  owned_number s(
      BN_bin2bn(bytes_of(signature.substr(es256_half_bytes)), es256_half_bytes, nullptr));
  const owned<ECDSA_SIG, ECDSA_SIG_free> pair(ECDSA_SIG_new());
  if (!r || !s || !pair || ECDSA_SIG_set0(pair.get(), r.get(), s.get()) != 1) return std::nullopt;
  // The pair owns them now.
  static_cast<void>(r.release());
  static_cast<void>(s.release());
  std::string der(static_cast<std::size_t>(std::max(i2d_ECDSA_SIG(pair.get(), nullptr), 0)), '\0');
  auto* at = reinterpret_cast<unsigned char*>(der.data());
  if (der.empty() || i2d_ECDSA_SIG(pair.get(), &at) <= 0) return std::nullopt;
  return der;
}

bool is_signed_by(const jwt_key_set::key& key, const token_parts& token) {
  auto signature = token.signature;
  if (key.algorithm == jwt_algorithm::es256) {
    auto der = to_der(signature);
    if (!der) return false;
    signature = std::move(*der);
  }
  const owned<EVP_MD_CTX, EVP_MD_CTX_free> context(EVP_MD_CTX_new());
  const auto* hash = key.algorithm == jwt_algorithm::eddsa ? nullptr : EVP_sha256();
  return context &&
         EVP_DigestVerifyInit(context.get(), nullptr, hash, nullptr, key.handle.get()) == 1 &&
         EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(),
                          bytes_of(token.signed_part), token.signed_part.size()) == 1;
}

// NumericDate: seconds since 1970, perhaps with a fraction. nullopt for what no date is.
std::optional<timestamp> time_of(const json::value& v) {
  if (!v.is_number()) return std::nullopt;
  const auto seconds = v.to_number<double>();
  if (!(seconds >= 0 && seconds <= 1e11)) return std::nullopt;
  return timestamp(std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000)));
}

bool holds_audience(const json::object& payload, const std::vector<std::string>& wanted) {
  const auto is_wanted = [&wanted](const json::value& v) {
    return v.is_string() && std::find(wanted.begin(), wanted.end(),
                                      std::string_view(v.get_string())) != wanted.end();
  };
  const auto* given = payload.if_contains("aud");
  if (!given) return false;
  if (!given->is_array()) return is_wanted(*given);
  return std::any_of(given->get_array().begin(), given->get_array().end(), is_wanted);
}

result<jwt_claims> check_claims(const json::object& payload, const jwt_rules& rules,
                                timestamp now) {
  if (text_of(payload, "iss") != rules.issuer) return refused("the token is of another issuer");
  if (!holds_audience(payload, rules.audiences)) return refused("the token is for somebody else");
  const auto* exp = payload.if_contains("exp");
  const auto expires_at = exp ? time_of(*exp) : std::nullopt;
  if (!expires_at) return refused("the token has no exp");
  if (now >= *expires_at + rules.leeway) return refused("the token has expired");
  if (const auto* nbf = payload.if_contains("nbf")) {
    const auto not_before = time_of(*nbf);
    if (!not_before || now < *not_before - rules.leeway)
      return refused("the token is not valid yet");
  }
  const auto subject = text_of(payload, "sub");
  if (subject.empty()) return refused("the token has no sub");
  auto name = text_of(payload, "name");
  if (name.empty()) name = text_of(payload, "preferred_username");
  return jwt_claims{std::string(subject), std::string(name), *expires_at};
}

}  // namespace

result<jwt_key_set> jwt_key_set::parse(std::string_view text) {
  const auto bad = [](std::string why) { return error{errc::invalid_argument, std::move(why)}; };
  const auto set = parse_object(text);
  const auto* keys = set ? set->if_contains("keys") : nullptr;
  if (!keys || !keys->is_array()) return bad("is no JWK set: {\"keys\": […]}");
  jwt_key_set out;
  for (const auto& item : keys->get_array()) {
    if (!item.is_object()) return bad("holds a key that is no object");
    const auto& jwk = item.get_object();
    const auto* algorithm = algorithm_of(jwk);
    if (!algorithm) continue;
    const auto id = text_of(jwk, "kid");
    auto handle = algorithm->make(jwk);
    if (!handle)
      return bad(fmt::format("holds a malformed or weak {} key, kid `{}`", algorithm->name, id));
    if (out.keys_.size() == keys_limit)
      return bad(fmt::format("holds more than {} keys", keys_limit));
    out.keys_.push_back({std::string(id), algorithm->is, {handle.release(), EVP_PKEY_free}});
  }
  if (out.keys_.empty()) return bad("holds no key for RS256, ES256 or EdDSA");
  return out;
}

const jwt_key_set::key* jwt_key_set::find(std::string_view id) const {
  if (id.empty()) return keys_.size() == 1 ? keys_.data() : nullptr;
  const auto found =
      std::find_if(keys_.begin(), keys_.end(), [id](const key& k) { return k.id == id; });
  return found == keys_.end() ? nullptr : &*found;
}

std::optional<std::string> unverified_issuer(std::string_view token) {
  const auto parts = split(token);
  if (!parts) return std::nullopt;
  return std::string(text_of(parts->payload, "iss"));
}

result<jwt_claims> verify_jwt(std::string_view token, const jwt_key_set& keys,
                              const jwt_rules& rules, timestamp now) {
  const auto parts = split(token);
  if (!parts) return refused("the token is no JWT of at most 8 KiB");
  // What must be understood (RFC 7515, section 4.1.11), and nothing of it is.
  if (parts->header.contains("crit")) return refused("the token uses an extension");
  const auto* key = keys.find(text_of(parts->header, "kid"));
  if (!key) return refused("the token names no key of this issuer");
  if (text_of(parts->header, "alg") != to_string(key->algorithm))
    return refused("the token's alg is not its key's");
  if (!is_signed_by(*key, *parts)) return refused("the token's signature is wrong");
  return check_claims(parts->payload, rules, now);
}

}  // namespace skirmish::sessions
