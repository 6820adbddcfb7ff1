// The certificate that the server shows. Its files are read again when they change, so that a
// renewed one is used without a restart; connections that are open keep theirs.
#pragma once

#include "core/error.hpp"

#include <boost/asio/ssl/context.hpp>

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>

namespace skirmish::http {

// Thread-safe.
class tls_certificate {
 public:
  // PEM files: the certificate with its chain, and its private key. Throws
  // failure{invalid_argument} when they cannot be used.
  tls_certificate(std::string certificate_file, std::string key_file);

  // For new connections. TLS 1.2 and 1.3; the suites are those of Mozilla's "intermediate" profile
  // (Server Side TLS 5.7).
  [[nodiscard]] std::shared_ptr<boost::asio::ssl::context> context() const;

  // True when the files have been read anew. Files that cannot be used are logged and leave the
  // certificate as it is.
  bool reload();
  // reload(), if a file has changed since it was last read.
  bool reload_if_changed();

 private:
  struct version {
    std::filesystem::file_time_type certificate;
    std::filesystem::file_time_type key;
    bool operator==(const version&) const = default;
  };
  [[nodiscard]] version current_version() const;
  [[nodiscard]] std::shared_ptr<boost::asio::ssl::context> read() const;

  std::string certificate_file_;
  std::string key_file_;
  mutable std::mutex mutex_;
  version version_;
  std::shared_ptr<boost::asio::ssl::context> context_;
};

}  // namespace skirmish::http
