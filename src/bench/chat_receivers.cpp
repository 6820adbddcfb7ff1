#include "bench/chat_receivers.hpp"

#include "http/websocket_codec.hpp"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sodium.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>

namespace skirmish::cli {
namespace {

namespace ws = http::ws;

constexpr std::size_t read_bytes = 256 * 1024;
constexpr std::size_t message_limit_bytes = 64 << 20;
constexpr std::uint32_t mask = 0x5eed1234;  // guards old proxies only: any number does

int connect_to(const server_address& server) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(server.host.c_str(), server.port.c_str(), &hints, &found) != 0)
    throw failure(errc::unavailable, "cannot resolve " + server.host);
  int fd = -1;
  for (auto* a = found; a != nullptr && fd < 0; a = a->ai_next) {
    fd = ::socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
    if (fd >= 0 && ::connect(fd, a->ai_addr, a->ai_addrlen) != 0) {
      ::close(fd);
      fd = -1;
    }
  }
  ::freeaddrinfo(found);
  if (fd < 0) throw failure(errc::unavailable, "cannot reach " + server.host + ":" + server.port);
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

void write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) {
      pollfd waiting{fd, POLLOUT, 0};
      ::poll(&waiting, 1, 1000);
      continue;
    }
    if (sent <= 0) throw failure(errc::unavailable, "the server went away");
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

}  // namespace

void latencies::add(std::int64_t ns) {
  const auto step = static_cast<std::size_t>(std::max<std::int64_t>(0, ns) / 50'000);
  ++counts_[std::min(step, counts_.size() - 1)];
  ++total_;
}

double latencies::quantile_ms(double share) const {
  const auto wanted = static_cast<std::uint64_t>(share * static_cast<double>(total_));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    seen += counts_[i];
    if (seen >= wanted && seen > 0) return static_cast<double>(i + 1) * 0.05;
  }
  return 0;
}

void latencies::clear() {
  std::fill(counts_.begin(), counts_.end(), 0);
  total_ = 0;
}

chat_socket::chat_socket(const server_address& server, const std::string& api_key,
                         const std::string& target)
    : fd_(connect_to(server)) {
  unsigned char nonce[16];
  randombytes_buf(nonce, sizeof nonce);
  char key[sodium_base64_ENCODED_LEN(sizeof nonce, sodium_base64_VARIANT_ORIGINAL)];
  sodium_bin2base64(key, sizeof key, nonce, sizeof nonce, sodium_base64_VARIANT_ORIGINAL);
  write_all(fd_, fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\n"
                             "Connection: Upgrade\r\nSec-WebSocket-Key: {}\r\n"
                             "Sec-WebSocket-Version: 13\r\nX-API-Key: {}\r\n\r\n",
                             target, server.host, key, api_key));
  std::size_t end = std::string::npos;
  char buffer[4096];
  while (end == std::string::npos) {
    const auto got = ::recv(fd_, buffer, sizeof buffer, 0);
    if (got <= 0) throw failure(errc::unavailable, "the server refused the WebSocket");
    in_.append(buffer, static_cast<std::size_t>(got));
    end = in_.find("\r\n\r\n");
  }
  if (!in_.starts_with("HTTP/1.1 101"))
    throw failure(errc::unavailable, "no WebSocket: " + in_.substr(0, in_.find('\r')));
  in_.erase(0, end + 4);
}

chat_socket::~chat_socket() {
  if (fd_ >= 0) ::close(fd_);
}

void chat_socket::send_encoded(std::string_view frames) { write_all(fd_, frames); }

void chat_socket::send(std::string_view text) {
  std::string out;
  ws::encode_masked(out, ws::opcode::text, text, mask);
  write_all(fd_, out);
}

std::string chat_socket::subscribe(const std::string& channel, const std::string& since) {
  const auto from = since.empty() ? std::string() : R"(,"since":")" + since + '"';
  send(fmt::format(R"({{"cid":"s","subscribe":{{"channel":"{}"{}}}}})", channel, from));
  auto answer = wait_for_text();
  if (answer.find(R"("subscribed")") == std::string::npos)
    throw failure(errc::unavailable, "the server refused the subscription: " + answer);
  return answer;
}

std::string chat_socket::wait_for_text() {
  while (true) {
    const auto d = ws::decode(std::span(in_), false, message_limit_bytes);
    if (d.status == ws::decode_status::frame) {
      std::string text(d.value.payload);
      const bool is_text = d.value.op == ws::opcode::text;
      in_.erase(0, d.consumed);
      if (is_text) return text;
      continue;
    }
    char buffer[16 * 1024];
    const auto got = ::recv(fd_, buffer, sizeof buffer, 0);
    if (got <= 0) throw failure(errc::unavailable, "the server closed the WebSocket");
    in_.append(buffer, static_cast<std::size_t>(got));
  }
}

bool chat_socket::read(const std::function<void(std::string_view)>& on_text) {
  // All sockets read into one buffer: what they keep is at most a part of a message.
  static thread_local std::string buffer(read_bytes, '\0');
  if (in_.size() >= buffer.size()) buffer.resize(2 * in_.size());
  std::copy(in_.begin(), in_.end(), buffer.begin());
  const auto got =
      ::recv(fd_, buffer.data() + in_.size(), buffer.size() - in_.size(), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  if (got <= 0) return false;
  std::span<char> rest(buffer.data(), in_.size() + static_cast<std::size_t>(got));
  while (true) {
    const auto d = ws::decode(rest, false, message_limit_bytes);
    if (d.status == ws::decode_status::need_more) break;
    if (d.status != ws::decode_status::frame || d.value.op == ws::opcode::close) return false;
    if (d.value.op == ws::opcode::text) on_text(d.value.payload);
    if (d.value.op == ws::opcode::ping) {
      std::string pong;
      ws::encode_masked(pong, ws::opcode::pong, d.value.payload, mask);
      write_all(fd_, pong);
    }
    rest = rest.subspan(d.consumed);
  }
  in_.assign(rest.begin(), rest.end());
  return true;
}

std::int64_t now_ns() { return std::chrono::steady_clock::now().time_since_epoch().count(); }

std::string numbered_text(numbered n, std::size_t size) {
  auto text = fmt::format("#{} {} ", n.seq, n.sent_ns);
  text.resize(std::max(size, text.size()), 'x');
  return text;
}

std::optional<numbered> read_numbered(std::string_view message) {
  constexpr std::string_view start = R"("text":"#)";
  const auto at = message.find(start);
  if (at == std::string_view::npos) return std::nullopt;
  numbered out;
  const auto* end = message.data() + message.size();
  auto [after, ec] = std::from_chars(message.data() + at + start.size(), end, out.seq);
  if (ec != std::errc{} || after == end) return std::nullopt;
  if (std::from_chars(after + 1, end, out.sent_ns).ec != std::errc{}) return std::nullopt;
  return out;
}

}  // namespace skirmish::cli
