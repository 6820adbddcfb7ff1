#include "redis/link.hpp"

#include "core/error.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>

namespace skirmish::redis {
namespace {

using boost::redis::logger;

constexpr std::size_t read_chunk_bytes = 16 * 1024;

// Says which file it was that could not be used.
void with_file(const std::string& file, const std::function<void()>& use) {
  try {
    use();
  } catch (const boost::system::system_error& e) {
    throw failure(errc::unavailable, file + ": " + e.code().message());
  }
}

asio::ssl::context tls_context(const connection_config& config) {
  asio::ssl::context context(asio::ssl::context::tls_client);
  const auto& tls = config.tls;
  if (!tls.enabled) return context;
  context.set_options(asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1);
  if (!tls.certificate_file.empty()) {
    with_file(tls.certificate_file,
              [&] { context.use_certificate_chain_file(tls.certificate_file); });
    with_file(tls.key_file,
              [&] { context.use_private_key_file(tls.key_file, asio::ssl::context::pem); });
  }
  if (!tls.verify_peer) {
    context.set_verify_mode(asio::ssl::verify_none);
    return context;
  }
  if (tls.ca_file.empty())
    context.set_default_verify_paths();
  else
    with_file(tls.ca_file, [&] { context.load_verify_file(tls.ca_file); });
  context.set_verify_mode(asio::ssl::verify_peer);
  if (tls.check_hostname)
    context.set_verify_callback(asio::ssl::host_name_verification(config.address.host));
  return context;
}

void push_hello(boost::redis::request& to, const std::string& username, const std::string& password,
                const std::string& name) {
  if (username.empty() && password.empty())
    to.hello_setname(name);
  else
    to.hello_setname(username.empty() ? "default" : username, password, name);
}

boost::redis::config translate(const connection_config& config, std::string name) {
  // CLIENT SETNAME takes no spaces nor control characters.
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return c <= ' ' || c > '~'; }, '_');
  boost::redis::config to;
  to.use_ssl = config.tls.enabled;
  to.addr = {config.address.host, std::to_string(config.address.port)};
  to.unix_socket = config.unix_socket;
  to.use_setup = true;
  to.setup.clear();
  push_hello(to.setup, config.username, config.password, name);
  if (config.database != 0) to.setup.push("SELECT", config.database);
  to.health_check_id = name;
  to.health_check_interval = config.health_check_interval;
  to.resolve_timeout = config.connect_timeout;
  to.connect_timeout = config.connect_timeout;
  to.ssl_handshake_timeout = config.connect_timeout;
  to.reconnect_wait_interval = std::chrono::seconds::zero();  // the client's loop connects again
  to.read_buffer_append_size = read_chunk_bytes;
  for (const auto& address : config.sentinel.addresses)
    to.sentinel.addresses.push_back({address.host, std::to_string(address.port)});
  to.sentinel.master_name = config.sentinel.master_name;
  to.sentinel.setup.clear();
  push_hello(to.sentinel.setup, config.sentinel.username, config.sentinel.password, name);
  return to;
}

// The stream below is marked as deprecated, but it is the only way to TCP_NODELAY and SNI. A Boost
// without it still compiles, and does without them.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
template <class Connection>
void with_stream(Connection& connection, auto action) {
  if constexpr (requires { connection.next_layer(); }) action(connection.next_layer());
}
#pragma GCC diagnostic pop

}  // namespace

client::link::link(asio::io_context& io, const connection_config& config, const std::string& name)
    : server_name_(config.tls.enabled && config.sentinel.addresses.empty() ? config.address.host
                                                                           : ""),
      settings_(translate(config, name)),
      connection(io, tls_context(config),
                 logger(logger::level::err,
                        [this](logger::level, std::string_view text) { note(text); })) {
  connection.set_receive_response(pushes);
}

awaitable<void> client::link::run() {
  if (!server_name_.empty())
    with_stream(connection, [this](auto& stream) {
      // What the macro SSL_set_tlsext_host_name() does, without its C casts.
      SSL_ctrl(stream.native_handle(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
               server_name_.data());
    });
  const auto [problem] = co_await connection.async_run(settings_, asio::as_tuple(use_awaitable));
  if (problem_.empty() && problem) note(problem.message());
}

void client::link::set_no_delay() {
  if (!settings_.unix_socket.empty()) return;
  with_stream(connection, [](auto& stream) {
    error_code ignored;
    stream.next_layer().set_option(asio::ip::tcp::no_delay(true), ignored);
  });
}

}  // namespace skirmish::redis
