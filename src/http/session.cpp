#include "http/session.hpp"

#include "core/ids.hpp"
#include "http/client_address.hpp"
#include "http/fast_path.hpp"
#include "http/problem.hpp"
#include "http/proxy_protocol.hpp"
#include "http/websocket.hpp"
#include "http/websocket_handshake.hpp"

#include <boost/asio/read.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <fmt/chrono.h>
#include <fmt/compile.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <ctime>

namespace skirmish::http {
namespace {

namespace beast = boost::beast;
using namespace std::chrono_literals;

// Small for heads, because there may be very many connections that have sent only a part of one.
constexpr std::size_t head_chunk_bytes = 2 * 1024;
constexpr std::size_t body_chunk_bytes = 16 * 1024;
// What an idle connection keeps of a buffer at most.
constexpr std::size_t kept_bytes = 4 * 1024;
// Pipelined responses are gathered up to this size before they are written.
constexpr std::size_t write_threshold_bytes = 64 * 1024;

verb to_verb(beast::http::verb v) {
  switch (v) {
    case beast::http::verb::get: return verb::get;
    case beast::http::verb::head: return verb::head;
    case beast::http::verb::post: return verb::post;
    case beast::http::verb::put: return verb::put;
    case beast::http::verb::patch: return verb::patch;
    case beast::http::verb::delete_: return verb::delete_;
    case beast::http::verb::options: return verb::options;
    default: return verb::other;
  }
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return out;
}

// Why a request could not be read.
refusal refusal_of(error_code ec) {
  if (ec == beast::http::error::body_limit)
    return {413, {errc::too_large, "the body is too large"}};
  if (ec == beast::http::error::header_limit)
    return {431, {errc::too_large, "the header is too large"}};
  return {400, {errc::invalid_argument, "this is not a valid HTTP/1.1 request"}};
}

refusal out_of_memory() {
  return {503, {errc::unavailable, "too much is being sent and read here; try again"}};
}

// A line of the head that continues the one before (RFC 9112, section 5.2). Beast would join them.
bool has_folded_line(std::string_view lines) {
  return lines.find("\n ") != std::string_view::npos ||
         lines.find("\n\t") != std::string_view::npos;
}

// Empties a buffer and gives back its memory, unless that is little.
void release(std::string& buffer) {
  if (buffer.capacity() > kept_bytes)
    std::string().swap(buffer);
  else
    buffer.clear();
}

bool says_how_to_cache(const response& r) {
  return std::any_of(r.headers.begin(), r.headers.end(),
                     [](const auto& h) { return equals_ignoring_case(h.first, "cache-control"); });
}

// Unique in the process; the prefix is random so that it is unlikely to repeat after a restart.
// Threads take numbers in blocks, so that counting is not what they wait for each other with.
std::string next_request_id() {
  constexpr std::uint64_t block = 4096;
  static const auto prefix = random_hex(4);
  static std::atomic<std::uint64_t> next_block{1};
  thread_local std::uint64_t next = 0;
  if (next % block == 0) next = next_block.fetch_add(1, std::memory_order_relaxed) * block;
  return fmt::format(FMT_COMPILE("{}-{:x}"), prefix, next++);
}

buffer_share::standing standing_of(const exchange& x, const route* to) {
  if (x.who.as != role::anonymous) return buffer_share::standing::known;
  const bool is_operations = to && to->cost == 0;
  return is_operations ? buffer_share::standing::operations : buffer_share::standing::unknown;
}

// The Date field's line (RFC 9110, section 6.6.1), made once per second and thread.
std::string_view date_line() {
  thread_local std::string line;
  thread_local std::time_t made_for = -1;
  const auto now = std::time(nullptr);
  if (now != made_for) {
    std::tm parts{};
    ::gmtime_r(&now, &parts);
    line = fmt::format("Date: {:%a, %d %b %Y %H:%M:%S} GMT\r\n", parts);
    made_for = now;
  }
  return line;
}

}  // namespace

struct session::parser {
  explicit parser(const config& c) {
    impl.header_limit(static_cast<std::uint32_t>(c.http.header_limit_bytes));
    // The head is parsed alone: it decides how large a body may be.
    impl.body_limit(boost::none);
    impl.eager(false);
  }
  beast::http::request_parser<beast::http::string_body> impl;
};

session::session(stream connection, const config& settings, const router& routes,
                 buffer_budget budget, std::shared_ptr<const trusted_proxies> proxies,
                 metrics::counter& closed_slow)
    : stream_(std::move(connection)),
      settings_(settings),
      routes_(routes),
      share_(budget),
      proxies_(std::move(proxies)),
      closed_slow_(closed_slow) {
  set_deadline(settings_.http.header_timeout);
  error_code ignored;
  stream_.tcp().non_blocking(true, ignored);  // for the writes that need not wait
  peer_ = stream_.tcp().remote_endpoint(ignored).address();
  if (!proxies_->contain(peer_)) address_ = counted_address(peer_.to_string());
}

session::~session() {
  if (websocket_) websocket_->abort();  // it may live on in a write under way
}

void session::set_deadline(std::chrono::milliseconds from_now) {
  deadline_ = std::chrono::steady_clock::now() + from_now;
}

void session::tick(time_point now) {
  if (websocket_) {
    websocket_->tick(now);
  } else if (now >= deadline_) {
    stream_.close();
  }
}

void session::stop() {
  stopping_ = true;
  if (websocket_) {
    websocket_->close(ws::close_code::shutdown, "the server is stopping; reconnect");
  } else if (idle_) {
    stream_.close();
  }
}

// Says how much the buffers hold, and would with `more_bytes`; false when that is too much.
bool session::hold(std::size_t more_bytes) {
  return share_.hold(in_.capacity() + out_.size() + head_bytes_ + body_bytes_ + more_bytes);
}

awaitable<bool> session::read_proxy_header() {
  std::string received;
  while (true) {
    const auto header = parse_proxy_header(received);
    if (header.is == proxy_header::state::bad) co_return false;
    if (header.is == proxy_header::state::whole) {
      if (!header.source) co_return true;
      peer_ = *header.source;
      address_.clear();
      if (!proxies_->contain(peer_)) address_ = counted_address(peer_.to_string());
      co_return true;
    }
    // Not a byte more: what follows may be for TLS.
    const auto kept = received.size();
    received.resize(kept + header.wanted_bytes);
    error_code ec;
    co_await asio::async_read(stream_.tcp(),
                              asio::buffer(received.data() + kept, header.wanted_bytes),
                              asio::redirect_error(use_awaitable, ec));
    if (ec) co_return false;
  }
}

std::optional<ban> session::ban_of_client() const {
  const auto* bans = routes_.bans();
  return bans && bans->has_addresses() ? bans->of_address(client_) : std::nullopt;
}

awaitable<void> session::run() {
  // Within the time for a header.
  const bool is_ready = co_await stream_.handshake();
  if (!is_ready) co_return;
  while (true) {
    // Not joined by &&: g++ 12 miscompiles a co_await there, and the end goes unnoticed.
    const bool is_open = co_await serve_fast();
    if (!is_open) break;
    const bool is_kept = co_await serve_requests();
    if (!is_kept) break;
  }
  if (stream_.is_tls()) co_await stream_.end_sending();
  error_code ignored;
  stream_.tcp().shutdown(stream::socket::shutdown_both, ignored);
}

// One coroutine frame for any number of requests: nothing here is allocated for a single one.
awaitable<bool> session::serve_fast() {
  if (!routes_.has_fast()) co_return true;
  while (true) {
    while (in_start_ < in_.size() && out_.size() < write_threshold_bytes) {
      if (stopping_ || !answer_fast()) co_return true;
    }
    idle_ = in_start_ == in_.size();
    if (!out_.empty()) {
      error_code ec;
      const auto sent = stream_.write_some(asio::buffer(out_), ec);
      if (!ec && sent == out_.size()) {
        release(out_);
        set_deadline(settings_.http.idle_timeout);
      } else {
        if (ec && ec != asio::error::would_block) co_return false;
        out_.erase(0, ec ? 0 : sent);
        if (!hold()) co_return false;
        const bool is_written = co_await write_out();
        if (!is_written) co_return false;
      }
    }
    if (!idle_) continue;
    if (stopping_) co_return false;
    in_.resize(head_chunk_bytes);
    in_start_ = 0;
    error_code ec;
    const auto got = co_await stream_.async_read_some(asio::buffer(in_.data(), in_.size()),
                                                      asio::redirect_error(use_awaitable, ec));
    in_.resize(got);
    if (ec) co_return false;
    // The clock for a header starts with its first byte, not with the connection's silence.
    set_deadline(settings_.http.header_timeout);
    idle_ = false;
  }
}

// True when the request at the front of the buffer was one for the fast path and is answered.
bool session::answer_fast() {
  // Behind a proxy only the whole head says whose request it is.
  const auto* bans = routes_.bans();
  if (bans && bans->has_addresses() && (address_.empty() || bans->of_address(peer_))) return false;
  const auto asked = parse_fast_request(std::string_view(in_).substr(in_start_));
  if (!asked) return false;
  const auto* answer = routes_.fast_answer(*asked, address_);
  if (!answer) return false;
  in_start_ += asked->size_bytes;
  out_ += answer->head;
  append_end_of_head(next_request_id(), true);
  out_ += *answer->body;
  return true;
}

// Reads one request and answers it. Responses to pipelined requests leave together. Route, role and
// the body's size are judged when the head is in: who may not send a body is not read from.
awaitable<bool> session::serve_requests() {
  exchange x;
  x.request_id = next_request_id();
  const bool has_head = co_await read_head(x);
  if (!has_head) co_return false;
  const bool keep_alive = parser_->impl.keep_alive();
  if (const auto banned = ban_of_client()) {
    co_await end_with(x, answer_to_banned(*banned, x.request_id));
    co_return false;
  }
  if (asks_for_websocket(x.req)) {
    if (const auto* handle = routes_.websocket_at(x.req.path)) {
      co_await upgrade(x, *handle);
      co_return false;
    }
  }
  deadline_ = time_point::max();  // what handlers wait for has its own limits
  auto admitted = co_await routes_.admit(x);
  share_.trust(standing_of(x, admitted.to));
  if (!admitted.to && !parser_->impl.is_done()) {
    co_await end_with(x, std::move(admitted.refusal));
    co_return false;
  }
  response answer;
  if (admitted.to) {
    set_deadline(settings_.http.body_timeout);
    const bool has_body = co_await read_body(x, body_limit_of(x, *admitted.to));
    if (!has_body) co_return false;
    const auto banned = x.waited_for_body ? ban_of_client() : std::nullopt;
    if (banned) {
      co_await end_with(x, answer_to_banned(*banned, x.request_id));
      co_return false;
    }
    deadline_ = time_point::max();
    answer = co_await routes_.answer(x, *admitted.to);
  } else {
    answer = std::move(admitted.refusal);
  }
  append(x, answer, keep_alive && !stopping_);
  parser_.reset();
  head_bytes_ = 0;
  body_bytes_ = 0;
  idle_ = in_start_ == in_.size();
  if (idle_) release(in_);
  in_start_ = idle_ ? 0 : in_start_;
  if (!idle_ && keep_alive && out_.size() < write_threshold_bytes) {
    set_deadline(settings_.http.header_timeout);
    co_return true;
  }
  const bool is_written = co_await write_out();
  co_return is_written&& keep_alive && !stopping_;
}

// Unknown callers may send little, and so may all to a route that takes no body.
std::size_t session::body_limit_of(const exchange& x, const route& to) const {
  if (to.raw_body_limit_bytes != 0)
    return std::min(to.raw_body_limit_bytes,
                    static_cast<std::size_t>(settings_.http.body_limit_bytes));
  const bool may_send_much = to.body && x.who.as != role::anonymous;
  return static_cast<std::size_t>(may_send_much ? settings_.http.body_limit_bytes
                                                : settings_.http.anonymous_limit_bytes);
}

// Reads a request up to its body. False when the connection is done.
awaitable<bool> session::read_head(exchange& x) {
  parser_ = std::make_unique<parser>(settings_);
  share_.trust(buffer_share::standing::unknown);
  while (true) {
    // Empty lines before a request are skipped (RFC 9112, section 2.2).
    while (!parser_->impl.got_some() && in_.compare(in_start_, 2, "\r\n") == 0) in_start_ += 2;
    if (in_start_ < in_.size()) {
      idle_ = false;
      auto no = parse_head();
      if (!no && parser_->impl.is_header_done()) no = take_head(x);
      if (no) {
        co_await refuse_head(x, std::move(*no));
        co_return false;
      }
      if (parser_->impl.is_header_done()) co_return true;
    }
    const bool is_flushed = co_await flush_before_reading();
    if (!is_flushed) co_return false;
    const bool has_more = co_await read_more(head_chunk_bytes);
    if (!has_more) co_return false;
    // The clock for a header starts with its first byte, not with the connection's silence.
    if (idle_) set_deadline(settings_.http.header_timeout);
    idle_ = false;
  }
}

std::optional<refusal> session::parse_head() {
  auto& p = parser_->impl;
  const auto unread = std::string_view(in_).substr(in_start_);
  error_code ec;
  const auto used = p.put(asio::buffer(unread.data(), unread.size()), ec);
  in_start_ += used;
  if (ec && ec != beast::http::error::need_more) return refusal_of(ec);
  // Twice, because the parser keeps the lines and where each begins.
  head_bytes_ += 2 * used;
  if (!hold()) return out_of_memory();
  if (has_folded_line(unread.substr(0, used)))
    return refusal{400, {errc::invalid_argument, "a header line must not be folded"}};
  return std::nullopt;
}

// Moves the parsed head into the exchange and judges it.
std::optional<refusal> session::take_head(exchange& x) {
  const auto& message = parser_->impl.get();
  x.req.method = to_verb(message.method());
  x.req.version_minor = static_cast<int>(message.version() % 10);
  for (const auto& f : message) x.req.headers.emplace_back(lower(f.name_string()), f.value());
  client_ = client_of(peer_, x.req.headers, *proxies_);
  x.req.remote_address = client_.to_string();
  x.req.is_secure = stream_.is_tls() ||
                    (proxies_->contain(peer_) && x.req.header("x-forwarded-proto") == "https");
  auto no = check_head(x.req, message.target());
  x.is_cross_site = !is_allowed_origin(x.req, settings_.http.allowed_origins);
  return no;
}

// Reads the rest of the request, of at most `limit_bytes`. False when the connection is done.
awaitable<bool> session::read_body(exchange& x, std::size_t limit_bytes) {
  auto& p = parser_->impl;
  if (p.is_done()) co_return true;
  if (p.content_length().value_or(0) > limit_bytes) {
    co_await refuse(x, refusal_of(beast::http::error::body_limit));
    co_return false;
  }
  p.body_limit(limit_bytes);
  p.eager(true);
  // HTTP/1.0 does not know it (RFC 9110, section 10.1.1).
  if (x.req.version_minor > 0 && lists_token(x.req.headers, "expect", "100-continue"))
    out_ += "HTTP/1.1 100 Continue\r\n\r\n";
  const auto until = deadline_;
  while (true) {
    if (in_start_ < in_.size()) {
      auto no = parse_body();
      if (no) {
        co_await refuse(x, std::move(*no));
        co_return false;
      }
      if (p.is_done()) break;
    }
    const bool is_flushed = co_await flush_before_reading();
    if (!is_flushed) co_return false;
    deadline_ = until;
    x.waited_for_body = true;
    const bool has_more = co_await read_more(body_chunk_bytes);
    if (!has_more) co_return false;
  }
  x.req.body = std::move(p.get().body());
  co_return true;
}

std::optional<refusal> session::parse_body() {
  auto& p = parser_->impl;
  error_code ec;
  in_start_ += p.put(asio::buffer(in_.data() + in_start_, in_.size() - in_start_), ec);
  if (ec && ec != beast::http::error::need_more) return refusal_of(ec);
  body_bytes_ = p.get().body().size();
  if (!hold()) return out_of_memory();
  return std::nullopt;
}

// Answers to earlier requests leave before anything is waited for.
awaitable<bool> session::flush_before_reading() {
  if (out_.empty()) co_return true;
  co_return co_await write_out();
}

awaitable<bool> session::read_more(std::size_t chunk_bytes) {
  in_.erase(0, in_start_);
  in_start_ = 0;
  const auto kept = in_.size();
  in_.resize(kept + chunk_bytes);
  error_code ec;
  const auto got = co_await stream_.async_read_some(asio::buffer(in_.data() + kept, chunk_bytes),
                                                    asio::redirect_error(use_awaitable, ec));
  in_.resize(kept + got);
  co_return !ec;
}

void session::append(const exchange& x, const response& r, bool keep_alive) {
  const bool has_body = x.req.method != verb::head && r.status != 204 && r.status != 304;
  if (!has_body || hold(r.bytes().size())) {
    append_answer(x, r, has_body, keep_alive);
    return;
  }
  const auto no = out_of_memory();
  append_answer(x, problem(no.status, no.why, x.request_id), true, keep_alive);
}

void session::append_answer(const exchange& x, const response& r, bool has_body, bool keep_alive) {
  append_head(out_, r);
  if (has_credential(x.req) && !says_how_to_cache(r)) out_ += "Cache-Control: no-store\r\n";
  append_end_of_head(x.request_id, keep_alive);
  if (has_body) out_ += r.bytes();
}

void session::append_end_of_head(std::string_view request_id, bool keep_alive) {
  out_ += date_line();
  if (stream_.is_tls()) out_ += "Strict-Transport-Security: max-age=31536000\r\n";
  out_ += "X-Content-Type-Options: nosniff\r\nX-Request-Id: ";
  out_ += request_id;
  out_ += keep_alive ? "\r\n\r\n" : "\r\nConnection: close\r\n\r\n";
}

awaitable<bool> session::write_out() {
  error_code ec;
  set_deadline(settings_.http.body_timeout);
  co_await asio::async_write(stream_, asio::buffer(out_), asio::redirect_error(use_awaitable, ec));
  release(out_);
  hold();
  set_deadline(idle_ ? settings_.http.idle_timeout : settings_.http.header_timeout);
  co_return !ec;
}

awaitable<void> session::refuse(const exchange& x, refusal why) {
  co_await end_with(x, problem(why.status, why.why, x.request_id));
}

// What is no request counts as one: by the address of the connection when nothing else is known.
awaitable<void> session::refuse_head(exchange& x, refusal why) {
  if (x.req.remote_address.empty()) x.req.remote_address = peer_.to_string();
  auto hasty = co_await routes_.limit_stray(x);
  if (!hasty) hasty = problem(why.status, why.why, x.request_id);
  co_await end_with(x, std::move(*hasty));
}

// Answers a request that is not read to its end, then reads on for a moment: closing at once would
// reset the connection and the client might never see the answer.
awaitable<void> session::end_with(const exchange& x, response r) {
  parser_.reset();
  head_bytes_ = 0;
  body_bytes_ = 0;
  append(x, r, false);
  const bool is_written = co_await write_out();
  if (!is_written) co_return;
  set_deadline(2s);
  co_await stream_.end_sending();
  co_await stream_.drain();
}

// Why the head of a request opens no WebSocket, whoever asks.
std::optional<response> session::refuse_handshake(exchange& x) const {
  auto no = check_handshake(x.req);
  if (!no && !parser_->impl.is_done())
    no = refusal{400, {errc::invalid_argument, "a WebSocket is opened without a body"}};
  if (no) {
    auto r = problem(no->status, no->why, x.request_id);
    if (no->status == 426)
      r.with("Upgrade", "websocket")
          .with("Connection", "Upgrade")
          .with("Sec-WebSocket-Version", "13");
    if (no->status == 405) r.with("Allow", "GET");
    return r;
  }
  auto parsed = parse_query(x.req.query);
  if (!parsed) return problem(parsed.error(), x.request_id);
  x.query_parameters = std::move(*parsed);
  return refuse_cross_site(x);
}

awaitable<void> session::upgrade(exchange& x, const websocket_handler& handle) {
  // Credentials are judged before the first message; bad ones get the close code that tells clients
  // to stop trying.
  auto refused = refuse_handshake(x);
  result<principal> who = principal{};
  deadline_ = time_point::max();
  if (!refused) {
    try {
      who = co_await routes_.authenticate()(x.req);
    } catch (const std::exception&) {
      refused = answer_to_exception(x);
    }
  }
  // One that fails counts, too.
  auto caller = who ? *who : principal{};
  auto hasty = co_await routes_.limit_websocket(x, std::move(caller));
  if (hasty) refused = std::move(hasty);
  if (refused) {
    co_await end_with(x, std::move(*refused));
    co_return;
  }
  out_ += fmt::format(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: "
      "Upgrade\r\nSec-WebSocket-Accept: {}\r\n\r\n",
      ws::accept_key(x.req.header("sec-websocket-key")));
  const bool is_written = co_await write_out();
  if (!is_written) co_return;
  const bool is_known = who && who->as != role::anonymous;
  websocket_limits limits;
  limits.message_bytes = static_cast<std::size_t>(
      is_known ? settings_.http.websocket_frame_limit_bytes : settings_.http.anonymous_limit_bytes);
  limits.queue_bytes = static_cast<std::size_t>(settings_.http.websocket_queue_limit_bytes);
  limits.patience = settings_.http.body_timeout;
  limits.closed_slow = &closed_slow_;
  auto leftover = in_.substr(in_start_);
  parser_.reset();
  std::string().swap(in_);
  std::string().swap(out_);
  hold();
  share_.trust(is_known ? buffer_share::standing::known : buffer_share::standing::unknown);
  websocket_ = std::make_shared<websocket>(std::move(stream_), std::move(leftover), limits,
                                           std::move(share_));
  if (stopping_) stop();
  if (!who) {
    websocket_->close(ws::close_code::bad_token, who.error().message);
    co_await websocket_->run([](std::string_view) -> awaitable<void> { co_return; });
    co_return;
  }
  const auto* bans = routes_.bans();
  if (const auto banned = bans ? bans->of(*who) : std::nullopt) {
    websocket_->close(ws::close_code::banned, banned->detail);
    co_await websocket_->run([](std::string_view) -> awaitable<void> { co_return; });
    co_return;
  }
  x.who = std::move(*who);
  co_await handle(x, *websocket_);
}

}  // namespace skirmish::http
