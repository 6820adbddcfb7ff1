#include "http/tls.hpp"

#include "core/log.hpp"

#include <boost/system/system_error.hpp>
#include <openssl/ssl.h>

#include <utility>

namespace skirmish::http {
namespace {

namespace ssl = boost::asio::ssl;

// For TLS 1.2; those of 1.3 are OpenSSL's own.
constexpr const char* cipher_list =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

// The server speaks HTTP/1.1 only; a client that offers other protocols alone is refused (RFC
// 7301).
int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size,
                    const unsigned char* offered, unsigned int offered_size, void*) {
  static constexpr unsigned char http_1_1[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_size, http_1_1, sizeof http_1_1, offered, offered_size) !=
      OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

tls_certificate::tls_certificate(std::string certificate_file, std::string key_file)
    : certificate_file_(std::move(certificate_file)),
      key_file_(std::move(key_file)),
      version_(current_version()),
      context_(read()) {}

std::shared_ptr<ssl::context> tls_certificate::context() const {
  const std::lock_guard lock(mutex_);
  return context_;
}

bool tls_certificate::reload() {
  const auto version = current_version();
  try {
    auto fresh = read();
    const std::lock_guard lock(mutex_);
    version_ = version;
    context_ = std::move(fresh);
  } catch (const failure& e) {
    const std::lock_guard lock(mutex_);
    version_ = version;  // said once per change
    log::error("certificate_not_read", {{"error", e.what()}});
    return false;
  }
  log::info("certificate_read", {{"file", certificate_file_}});
  return true;
}

bool tls_certificate::reload_if_changed() {
  const auto version = current_version();
  {
    const std::lock_guard lock(mutex_);
    if (version == version_) return false;
  }
  return reload();
}

tls_certificate::version tls_certificate::current_version() const {
  std::error_code ignored;  // reading it says what is wrong
  return {std::filesystem::last_write_time(certificate_file_, ignored),
          std::filesystem::last_write_time(key_file_, ignored)};
}

std::shared_ptr<ssl::context> tls_certificate::read() const {
  auto out = std::make_shared<ssl::context>(ssl::context::tls_server);
  out->set_options(ssl::context::default_workarounds | ssl::context::no_tlsv1 |
                   ssl::context::no_tlsv1_1 | ssl::context::single_dh_use);
  auto* native = out->native_handle();
  SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
  // A renegotiation costs the server more than the client.
  SSL_CTX_set_options(native, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);  // an idle connection should be small
  SSL_CTX_set_cipher_list(native, cipher_list);
  SSL_CTX_set_alpn_select_cb(native, choose_protocol, nullptr);
  const auto* file = &certificate_file_;
  try {
    out->use_certificate_chain_file(certificate_file_);
    file = &key_file_;
    out->use_private_key_file(key_file_, ssl::context::pem);
  } catch (const boost::system::system_error& e) {
    throw failure(errc::invalid_argument, *file + ": " + e.code().message());
  }
  if (SSL_CTX_check_private_key(native) != 1)
    throw failure(errc::invalid_argument, key_file_ + " is not the key of " + certificate_file_);
  return out;
}

}  // namespace skirmish::http
