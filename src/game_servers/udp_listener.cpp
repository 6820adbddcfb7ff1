#include "game_servers/udp_listener.hpp"

#include "core/ids.hpp"
#include "core/log.hpp"
#include "http/listener.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace skirmish::game_servers {
namespace {

using namespace std::chrono_literals;
using asio::ip::udp;

constexpr std::size_t datagram_max_bytes = 65'536;
// Taken in a row before others have their turn.
constexpr int datagrams_in_a_row = 64;
// Asked of the kernel, which gives at most net.core.rmem_max.
constexpr int receive_buffer_bytes = 4 << 20;
constexpr std::size_t frame_events = 5'000;
constexpr auto retry_pause_min = 100ms;
constexpr auto retry_pause_max = 2'000ms;
constexpr int failures_max = 10;
constexpr auto stop_patience = 2s;
constexpr std::string_view owner = "game-servers-udp";

// A metric of what became of datagrams.
metrics::counter& datagrams(metrics::registry& metrics, std::string_view outcome) {
  return metrics.add_counter("skirmish_ingest_udp_datagrams_total",
                             "Datagrams received, by what became of them.",
                             fmt::format(R"(outcome="{}")", outcome));
}

udp::endpoint endpoint_of(const std::string& text) {
  const auto parsed = http::parse_endpoint(text);
  if (!parsed)
    throw failure(errc::invalid_argument, "ingest.udp_listen: " + parsed.error().message);
  return {parsed->address(), parsed->port()};
}

// Functions of their own: g++ 12 miscompiles lists of fields in a coroutine.
void warn_of_lines_left(std::size_t bytes) {
  log::warn("ingest_udp_lines_left", {{"bytes", bytes}});
}

void say_dropped(const std::string& server, std::size_t events) {
  log::error("ingest_udp_events_dropped", {{"server", server}, {"events", events}});
}

void warn_of_retry(const std::string& server, const char* why) {
  log::warn("ingest_udp_write_retried", {{"server", server}, {"error", why}});
}

}  // namespace

udp_listener::udp_listener(asio::io_context& io, const settings& s, event_writer& writer,
                           metrics::registry& metrics)
    : servers_(s.udp_servers),
      logs_(servers_.size()),
      queue_limit_bytes_(s.udp_queue_limit_bytes),
      writer_(writer),
      socket_(io),
      wake_(io),
      pause_(io),
      buffer_(datagram_max_bytes),
      lines_(metrics.add_counter("skirmish_ingest_lines_total", "Lines of live logs, by transport.",
                                 R"(transport="udp")")),
      unknown_lines_(metrics.add_counter("skirmish_ingest_unknown_lines_total",
                                         "Those of them that were not understood.",
                                         R"(transport="udp")")),
      taken_(datagrams(metrics, "taken")),
      queue_full_(datagrams(metrics, "queue_full")),
      dropped_by_kernel_(metrics.add_counter(
          "skirmish_ingest_udp_dropped_by_kernel_total",
          "Datagrams that arrived and were lost because they were not read in time.")),
      dropped_events_(metrics.add_counter(
          "skirmish_ingest_udp_events_dropped_total",
          "Events that failed again and again, for another reason than an outage.")),
      waiting_(metrics.add_gauge("skirmish_ingest_udp_waiting_bytes",
                                 "Lines received and not applied yet.")) {
  faults_[static_cast<std::size_t>(packet_fault::malformed)] = &datagrams(metrics, "malformed");
  faults_[static_cast<std::size_t>(packet_fault::unknown_source)] =
      &datagrams(metrics, "unknown_source");
  faults_[static_cast<std::size_t>(packet_fault::wrong_secret)] =
      &datagrams(metrics, "wrong_secret");
  for (std::size_t i = 0; i < servers_.size(); ++i)
    logs_[i].parser = ingest::make_parser(ingest::format::source, {s.origin, servers_[i].name});
  const auto at = endpoint_of(s.udp_listen);
  error_code ec;
  socket_.open(at.protocol(), ec);
  if (!ec) socket_.bind(at, ec);
  if (!ec) socket_.non_blocking(true, ec);
  if (ec)
    throw failure(errc::unavailable, fmt::format("ingest.udp_listen: cannot listen on {}: {}",
                                                 s.udp_listen, ec.message()));
  error_code ignored;
  socket_.set_option(asio::socket_base::receive_buffer_size(receive_buffer_bytes), ignored);
  const int on = 1;
  ::setsockopt(socket_.native_handle(), SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof on);
}

awaitable<void> udp_listener::receive() {
  while (!stopping_) {
    error_code ec;
    co_await socket_.async_wait(udp::socket::wait_read, asio::redirect_error(use_awaitable, ec));
    if (ec || stopping_) co_return;
    receive_some();
    co_await asio::post(socket_.get_executor(), use_awaitable);
  }
}

void udp_listener::receive_some() {
  for (int n = 0; n < datagrams_in_a_row; ++n) {
    udp::endpoint from;
    iovec part{buffer_.data(), buffer_.size()};
    alignas(cmsghdr) std::array<char, 128> control{};
    msghdr message{};
    message.msg_name = from.data();
    message.msg_namelen = static_cast<socklen_t>(from.capacity());
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const auto got = ::recvmsg(socket_.native_handle(), &message, MSG_DONTWAIT);
    if (got < 0) return;  // nothing more; what an ICMP message says of others is no matter
    from.resize(message.msg_namelen);
    for (auto* c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
      if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_RXQ_OVFL) continue;
      std::uint32_t total = 0;
      std::copy_n(CMSG_DATA(c), sizeof total, reinterpret_cast<unsigned char*>(&total));
      note_kernel_drops(total);
    }
    take({buffer_.data(), static_cast<std::size_t>(got)}, from);
  }
}

// The kernel counts from the socket's beginning, modulo 2^32.
void udp_listener::note_kernel_drops(std::uint32_t total) {
  dropped_by_kernel_.add(total - std::exchange(kernel_drops_, total));
}

void udp_listener::take(std::string_view datagram, const udp::endpoint& from) {
  const auto read = read_packet(datagram, from, servers_);
  if (read.fault != packet_fault::none) {
    faults_[static_cast<std::size_t>(read.fault)]->add();
    return;
  }
  const auto bytes = read.line.size() + 1;
  if (waiting_bytes_ + bytes > queue_limit_bytes_) {
    queue_full_.add();
    return;
  }
  taken_.add();
  logs_[read.server].waiting.append(read.line) += '\n';
  waiting_bytes_ += bytes;
  waiting_.set(static_cast<std::int64_t>(waiting_bytes_));
  wake_.cancel();
}

awaitable<void> udp_listener::apply() {
  while (!stopping_ || waiting_bytes_ > 0) {
    for (std::size_t i = 0; i < logs_.size(); ++i) co_await apply_waiting(i);
    if (waiting_bytes_ > 0 || stopping_) continue;
    wake_.expires_after(1h);
    error_code ignored;
    co_await wake_.async_wait(asio::redirect_error(use_awaitable, ignored));
  }
}

awaitable<void> udp_listener::apply_waiting(std::size_t server) {
  const auto text = std::exchange(logs_[server].waiting, {});
  if (text.empty()) co_return;
  // Until it is written it counts as waiting, so that the bound holds for all that is kept.
  struct release {
    udp_listener& of;
    std::size_t bytes;
    ~release() {
      of.waiting_bytes_ -= bytes;
      of.waiting_.set(static_cast<std::int64_t>(of.waiting_bytes_));
    }
  };
  const release at_end{*this, text.size()};
  co_await apply_lines(server, text);
}

awaitable<void> udp_listener::apply_lines(std::size_t server, std::string_view text) {
  auto& parser = *logs_[server].parser;
  const auto before = parser.counted();
  log_block block;
  std::vector<ingest::log_event> events;
  while (!text.empty()) {
    text.remove_prefix(parser.feed(text, events));
    block.add(events);
    if (block.events.size() < frame_events) continue;
    co_await write(server, block);
    block = {};
  }
  co_await write(server, block);
  lines_.add(parser.counted().lines - before.lines);
  unknown_lines_.add(parser.counted().unknown_lines - before.unknown_lines);
}

// While Redis or SQL is away the lines wait, because nobody else knows them. A block that fails for
// another reason must not hold up all others for ever.
awaitable<void> udp_listener::write(std::size_t server, const log_block& block) {
  if (block.events.empty() && block.players.empty() && block.levels.empty()) co_return;
  auto pause = retry_pause_min;
  int failures = 0;
  while (true) {
    const auto result = co_await try_write(server, block);
    if (result == attempt::written) co_return;
    if (result == attempt::failed && ++failures == failures_max) break;
    co_await rest(pause);
    pause = std::min(pause * 2, retry_pause_max);
  }
  dropped_events_.add(block.events.size());
  say_dropped(servers_[server].name, block.events.size());
  logs_[server].stream.clear();  // its number may be taken by what is partly there
}

// The same number for the same block, until Redis has said what became of it.
awaitable<udp_listener::attempt> udp_listener::try_write(std::size_t server,
                                                         const log_block& block) {
  auto& log = logs_[server];
  try {
    if (log.stream.empty()) {
      auto name = "udp-" + random_hex(16);
      const auto claim = co_await writer_.engine().claim(name, std::string(owner));
      if (!claim) co_return attempt::failed;
      log.stream = std::move(name);
      log.claim = claim->claim;
      log.seq = 0;
    }
    interactions::stream_position place{log.stream, log.seq + 1, log.claim, std::string(owner)};
    const auto done = co_await writer_.write(block, std::move(place));
    if (done) {
      ++log.seq;
      co_return attempt::written;
    }
    // Redis has lost what it had: this stream is not known any more.
    log.stream.clear();
    warn_of_retry(servers_[server].name, done.error().message.c_str());
  } catch (const failure& e) {
    warn_of_retry(servers_[server].name, e.what());
    const bool is_away = e.code() == errc::unavailable || e.code() == errc::deadline_exceeded;
    if (is_away) co_return attempt::away;
  }
  co_return attempt::failed;
}

awaitable<void> udp_listener::rest(std::chrono::milliseconds pause) {
  pause_.expires_after(pause);
  error_code ignored;
  co_await pause_.async_wait(asio::redirect_error(use_awaitable, ignored));
}

awaitable<void> udp_listener::stop() {
  stopping_ = true;
  error_code ignored;
  socket_.close(ignored);
  wake_.cancel();
  asio::steady_timer pause(wake_.get_executor());
  const auto deadline = std::chrono::steady_clock::now() + stop_patience;
  while (waiting_bytes_ > 0 && std::chrono::steady_clock::now() < deadline) {
    pause.expires_after(10ms);
    co_await pause.async_wait(asio::redirect_error(use_awaitable, ignored));
  }
  if (waiting_bytes_ > 0) warn_of_lines_left(waiting_bytes_);
}

}  // namespace skirmish::game_servers
