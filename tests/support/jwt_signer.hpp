// Makes keys and signs JSON Web Tokens with them, as an issuer would. For tests.
#pragma once

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <sodium.h>

#include <memory>
#include <string>
#include <string_view>

namespace skirmish::testing {

inline std::string to_base64url(std::string_view bytes) {
  constexpr int variant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;
  std::string out(sodium_base64_encoded_len(bytes.size(), variant), '\0');
  sodium_bin2base64(out.data(), out.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                    bytes.size(), variant);
  out.pop_back();
  return out;
}

class jwt_signer {
 public:
  static jwt_signer rs256(unsigned bits = 2048) {
    return {"RS256", EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{bits})};
  }
  static jwt_signer es256() {
    return {"ES256", EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256")};
  }
  static jwt_signer eddsa() { return {"EdDSA", EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")}; }

  [[nodiscard]] const std::string& algorithm() const { return algorithm_; }

  // The public key as a JWK.
  [[nodiscard]] std::string jwk(std::string_view kid) const {
    const auto head = "{\"kid\":\"" + std::string(kid) + "\",\"use\":\"sig\",";
    if (algorithm_ == "RS256")
      return head + R"("kty":"RSA","n":")" + number(OSSL_PKEY_PARAM_RSA_N) + R"(","e":")" +
             number(OSSL_PKEY_PARAM_RSA_E) + "\"}";
    if (algorithm_ == "ES256")
      return head + R"("kty":"EC","crv":"P-256","x":")" + number(OSSL_PKEY_PARAM_EC_PUB_X, 32) +
             R"(","y":")" + number(OSSL_PKEY_PARAM_EC_PUB_Y, 32) + "\"}";
    std::string x(32, '\0');
    auto size = x.size();
    EVP_PKEY_get_raw_public_key(key_.get(), reinterpret_cast<unsigned char*>(x.data()), &size);
    return head + R"("kty":"OKP","crv":"Ed25519","x":")" + to_base64url(x) + "\"}";
  }

  // A token with exactly these texts as header and payload.
  [[nodiscard]] std::string sign(std::string_view header, std::string_view payload) const {
    const auto text = to_base64url(header) + '.' + to_base64url(payload);
    return text + '.' + to_base64url(signature_of(text));
  }

 private:
  jwt_signer(std::string algorithm, EVP_PKEY* key)
      : algorithm_(std::move(algorithm)), key_(key, EVP_PKEY_free) {}

  [[nodiscard]] std::string number(const char* name, int size_bytes = 0) const {
    BIGNUM* raw = nullptr;
    EVP_PKEY_get_bn_param(key_.get(), name, &raw);
    const std::unique_ptr<BIGNUM, decltype(&BN_free)> n(raw, BN_free);
    std::string bytes(static_cast<std::size_t>(size_bytes ? size_bytes : BN_num_bytes(n.get())),
                      '\0');
    BN_bn2binpad(n.get(), reinterpret_cast<unsigned char*>(bytes.data()),
                 static_cast<int>(bytes.size()));
    return to_base64url(bytes);
  }

  [[nodiscard]] std::string signature_of(std::string_view text) const {
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                          EVP_MD_CTX_free);
    EVP_DigestSignInit(context.get(), nullptr, algorithm_ == "EdDSA" ? nullptr : EVP_sha256(),
                       nullptr, key_.get());
    std::string out(1024, '\0');
    auto size = out.size();
    EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(out.data()), &size,
                   reinterpret_cast<const unsigned char*>(text.data()), text.size());
    out.resize(size);
    return algorithm_ == "ES256" ? from_der(out) : out;
  }

  static std::string from_der(std::string_view der) {
    const auto* at = reinterpret_cast<const unsigned char*>(der.data());
    const std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> pair(
        d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())), ECDSA_SIG_free);
    std::string out(64, '\0');
    auto* bytes = reinterpret_cast<unsigned char*>(out.data());
    BN_bn2binpad(ECDSA_SIG_get0_r(pair.get()), bytes, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(pair.get()), bytes + 32, 32);
    return out;
  }

  std::string algorithm_;
  std::shared_ptr<EVP_PKEY> key_;
};

}  // namespace skirmish::testing
