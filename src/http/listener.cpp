#include "http/listener.hpp"

#include "core/log.hpp"
#include "core/parse.hpp"
#include "core/repeat.hpp"
#include "http/session.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <sys/socket.h>

#include <utility>

namespace skirmish::http {
namespace {

using namespace std::chrono_literals;
using asio::ip::tcp;

constexpr auto sweep_interval = 500ms;

}  // namespace

result<tcp::endpoint> parse_endpoint(std::string_view text) {
  error bad{errc::invalid_argument,
            "an address to listen on looks like 127.0.0.1:8090 or [::1]:8090"};
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad;
  auto host = text.substr(0, colon);
  if (host.size() > 1 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  if (host == "localhost") host = "127.0.0.1";
  const auto port = parse_integer(text.substr(colon + 1));
  error_code ec;
  const auto address = asio::ip::make_address(host, ec);
  if (ec || !port || *port < 0 || *port > 65'535) return bad;
  return tcp::endpoint(address, static_cast<std::uint16_t>(*port));
}

tcp::acceptor listen(asio::io_context& io, const tcp::endpoint& at) {
  tcp::acceptor acceptor(io);
  try {
    acceptor.open(at.protocol());
    acceptor.set_option(tcp::acceptor::reuse_address(true));
    const int on = 1;
    if (::setsockopt(acceptor.native_handle(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0)
      throw boost::system::system_error(errno, boost::system::system_category());
    acceptor.bind(at);
    acceptor.listen(4096);
  } catch (const boost::system::system_error& e) {
    throw failure(errc::unavailable, "cannot listen on " + at.address().to_string() + ":" +
                                         std::to_string(at.port()) + ": " + e.code().message());
  }
  return acceptor;
}

// A session, its place in the list and in the counts of open connections: whatever ends its
// coroutine, and if it never starts, all of them end together.
struct listener::connection {
  connection(stream from, std::string counted_peer, const listener& by)
      : served(std::move(from), by.settings_, by.routes_, by.budget_, by.proxies_, by.closed_slow_),
        all(by.sessions_),
        here(all->insert(all->end(), &served)),
        open(by.open_),
        refused(by.refused_),
        counts(by.counts_),
        counted(std::move(counted_peer)) {
    open.add(1);
  }
  ~connection() {
    if (!counted.empty()) counts->leave(counted);
    open.add(-1);
    all->erase(here);
  }
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  // Learns from a proxy whose connection it is, and counts it. False: it is to be closed.
  awaitable<bool> admit(std::shared_ptr<const trusted_proxies> proxies, std::int64_t limit) {
    const bool is_known = co_await served.read_proxy_header();
    if (!is_known) co_return false;
    if (limit == 0 || proxies->contain(served.peer())) co_return true;
    auto address = counted_address(served.peer().to_string());
    const bool has_place = counts->enter(address, limit);
    if (has_place)
      counted = std::move(address);
    else
      refused.add();
    co_return has_place;
  }

  session served;
  std::shared_ptr<session_list> all;
  session_list::iterator here;
  metrics::gauge& open;
  metrics::counter& refused;
  std::shared_ptr<connection_counts> counts;
  std::string counted;  // under this address, unless empty
};

std::shared_ptr<const trusted_proxies> proxies_of(const config& settings) {
  auto parsed = trusted_proxies::parse(settings.http.trusted_proxies);
  if (!parsed)
    throw failure(errc::invalid_argument, "http.trusted_proxies: " + parsed.error().message);
  return std::make_shared<const trusted_proxies>(std::move(*parsed));
}

listener::listener(tcp::acceptor acceptor, const config& settings, const router& routes,
                   metrics::registry& metrics, std::shared_ptr<connection_counts> counts,
                   const tls_certificate* certificate)
    : acceptor_(std::move(acceptor)),
      settings_(settings),
      routes_(routes),
      certificate_(certificate),
      budget_(metrics, settings.http.buffer_budget_bytes),
      proxies_(proxies_of(settings)),
      counts_(std::move(counts)),
      sweep_wake_(acceptor_.get_executor()),
      open_(metrics.add_gauge("skirmish_http_connections", "Open connections.")),
      refused_(metrics.add_counter("skirmish_http_connections_refused_total",
                                   "Connections over the limit.")),
      closed_slow_(metrics.add_counter("skirmish_connections_closed_slow_total",
                                       "WebSockets closed because they read or sent too slowly.")) {
}

listener::~listener() = default;

void listener::start(task_group& group) {
  group.spawn("http_accept", [this, &group] { return accept_loop(group); });
  group.spawn("http_sweep", [this] { return sweep_loop(); });
}

void listener::stop() {
  stopping_ = true;
  error_code ignored;
  acceptor_.close(ignored);
  sweep_wake_.set();
  for (auto* s : *sessions_) s->stop();
}

awaitable<void> listener::accept_loop(task_group& group) {
  while (!stopping_) {
    error_code ec;
    auto socket = co_await acceptor_.async_accept(asio::redirect_error(use_awaitable, ec));
    if (stopping_ || ec == asio::error::operation_aborted) co_return;
    if (ec) {
      // Out of descriptors, most likely: wait for some to come back rather than spin.
      log::warn("accept_failed", {{"error", ec.message()}});
      asio::steady_timer pause(acceptor_.get_executor(), 100ms);
      co_await pause.async_wait(asio::redirect_error(use_awaitable, ec));
      continue;
    }
    if (open_.value() >= settings_.http.connection_limit) {
      refused_.add();
      continue;
    }
    auto counted = counted_peer(socket);
    if (!counted.empty() && !counts_->enter(counted, settings_.http.connections_per_address)) {
      refused_.add();
      continue;
    }
    try {
      serve(std::move(socket), std::move(counted), group);
    } catch (const std::exception& e) {
      log::error("connection_failed", {{"error", e.what()}});
    }
  }
}

std::string listener::counted_peer(const tcp::socket& socket) const {
  if (settings_.http.connections_per_address == 0) return {};
  error_code ignored;
  const auto peer = socket.remote_endpoint(ignored).address();
  return proxies_->contain(peer) ? std::string() : counted_address(peer.to_string());
}

// What a session throws ends in the group, which logs it.
void listener::serve(tcp::socket socket, std::string counted, task_group& group) {
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  auto from =
      certificate_ ? stream(std::move(socket), certificate_->context()) : stream(std::move(socket));
  if (std::exchange(is_sweep_idle_, false)) sweep_wake_.set();
  auto place = std::make_shared<connection>(std::move(from), std::move(counted), *this);
  const bool has_header = settings_.http.proxy_protocol && proxies_->contain(place->served.peer());
  auto run = [place, has_header, proxies = proxies_,
              limit = settings_.http.connections_per_address]() -> awaitable<void> {
    if (has_header) {
      const bool is_admitted = co_await place->admit(proxies, limit);
      if (!is_admitted) co_return;
    }
    co_await place->served.run();
  };
  group.spawn("http_session", std::move(run));
}

awaitable<void> listener::sweep_loop() {
  while (!stopping_) {
    is_sweep_idle_ = sessions_->empty();
    if (is_sweep_idle_)
      co_await sweep_wake_.wait();
    else
      co_await sweep_wake_.wait_until(next_tick(std::chrono::steady_clock::now(), sweep_interval));
    if (stopping_) co_return;
    const auto now = std::chrono::steady_clock::now();
    try {
      // A tick may end a session's wait but never runs it, so the list stands still here.
      for (auto* s : *sessions_) s->tick(now);
    } catch (const std::exception& e) {
      log::error("sweep_failed", {{"error", e.what()}});
    }
  }
}

}  // namespace skirmish::http
