#include "http/session.hpp"

#include "core/ids.hpp"
#include "http/fast_path.hpp"
#include "http/problem.hpp"
#include "http/websocket.hpp"

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

constexpr std::size_t read_chunk_bytes = 8 * 1024;
constexpr std::size_t fast_read_chunk_bytes = 2 * 1024;
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

bool contains_token(std::string_view header, std::string_view token) {
  return lower(header).find(token) != std::string::npos;
}

// Why a request could not be read.
std::pair<int, error> refusal_of(error_code ec) {
  if (ec == beast::http::error::body_limit)
    return {413, {errc::too_large, "the body is too large"}};
  if (ec == beast::http::error::header_limit)
    return {431, {errc::too_large, "the header is too large"}};
  return {400, {errc::invalid_argument, "this is not a valid HTTP/1.1 request"}};
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

// The Date field's line (RFC 9110, section 6.6.1), made once a second and thread.
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
    impl.body_limit(static_cast<std::uint64_t>(c.http.body_limit_bytes));
    impl.eager(true);
  }
  beast::http::request_parser<beast::http::string_body> impl;
};

session::session(asio::ip::tcp::socket socket, const config& settings, const router& routes)
    : socket_(std::move(socket)), settings_(settings), routes_(routes) {
  set_deadline(settings_.http.header_timeout);
  error_code ignored;
  socket_.non_blocking(true, ignored);  // for the writes that need not wait
}

session::~session() = default;

void session::set_deadline(std::chrono::milliseconds from_now) {
  deadline_ = std::chrono::steady_clock::now() + from_now;
}

void session::tick(time_point now) {
  if (websocket_) {
    websocket_->tick(now);
  } else if (now >= deadline_) {
    error_code ignored;
    socket_.close(ignored);
  }
}

void session::stop() {
  stopping_ = true;
  if (websocket_) {
    websocket_->close(ws::close_code::shutdown, "the server is stopping; reconnect");
  } else if (idle_) {
    error_code ignored;
    socket_.close(ignored);
  }
}

awaitable<void> session::run() {
  while (co_await serve_fast() && co_await serve_requests()) {
  }
  error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
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
      const auto sent = socket_.write_some(asio::buffer(out_), ec);
      if (!ec && sent == out_.size()) {
        out_.clear();
        set_deadline(settings_.http.idle_timeout);
      } else {
        if (ec && ec != asio::error::would_block) co_return false;
        out_.erase(0, ec ? 0 : sent);
        if (!co_await write_out()) co_return false;
      }
    }
    if (!idle_) continue;
    if (stopping_) co_return false;
    in_.resize(fast_read_chunk_bytes);
    in_start_ = 0;
    error_code ec;
    const auto got = co_await socket_.async_read_some(asio::buffer(in_.data(), in_.size()),
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
  const auto asked = parse_fast_request(std::string_view(in_).substr(in_start_));
  if (!asked) return false;
  const auto* answer = routes_.fast_answer(*asked);
  if (!answer) return false;
  in_start_ += asked->size_bytes;
  out_ += answer->head;
  append_end_of_head(next_request_id(), true);
  out_ += *answer->body;
  return true;
}

// Reads one request and answers it. Responses to pipelined requests leave together.
awaitable<bool> session::serve_requests() {
  if (!co_await read_request()) co_return false;
  exchange x;
  x.request_id = next_request_id();
  const bool keep_alive = take_request(x) && !stopping_;
  if (contains_token(x.req.header("upgrade"), "websocket")) {
    if (const auto* handle = routes_.websocket_at(x.req.path)) {
      co_await upgrade(x, *handle);
      co_return false;
    }
  }
  const auto answer = co_await routes_.dispatch(x);
  append(x, answer, keep_alive && !stopping_);
  idle_ = in_start_ == in_.size();
  if (!idle_ && keep_alive && out_.size() < write_threshold_bytes) co_return true;
  co_return co_await write_out() && keep_alive && !stopping_;
}

// Fills parser_ with one whole request. False when the connection is done.
awaitable<bool> session::read_request() {
  parser_ = std::make_unique<parser>(settings_);
  auto& p = parser_->impl;
  bool continued = false;
  bool in_body = false;
  while (true) {
    if (in_start_ < in_.size()) {
      idle_ = false;
      error_code ec;
      in_start_ += p.put(asio::buffer(in_.data() + in_start_, in_.size() - in_start_), ec);
      if (ec && ec != beast::http::error::need_more) {
        const auto [status, why] = refusal_of(ec);
        co_await refuse(status, why);
        co_return false;
      }
      if (p.is_done()) break;
    }
    if (p.is_header_done() && !in_body) {
      in_body = true;
      set_deadline(settings_.http.body_timeout);
      if (!continued && contains_token(p.get()[beast::http::field::expect], "100-continue")) {
        continued = true;
        out_ += "HTTP/1.1 100 Continue\r\n\r\n";
      }
    }
    if (!out_.empty() && !co_await write_out()) co_return false;
    if (!co_await read_more()) co_return false;
  }
  co_return true;
}

awaitable<bool> session::read_more() {
  in_.erase(0, in_start_);
  in_start_ = 0;
  const auto kept = in_.size();
  in_.resize(kept + read_chunk_bytes);
  error_code ec;
  const auto got = co_await socket_.async_read_some(
      asio::buffer(in_.data() + kept, read_chunk_bytes), asio::redirect_error(use_awaitable, ec));
  in_.resize(kept + got);
  if (ec) co_return false;
  // The clock for a header starts with its first byte, not with the connection's silence.
  if (idle_) set_deadline(settings_.http.header_timeout);
  co_return true;
}

// Moves the parsed request into the exchange. True when the connection may be kept.
bool session::take_request(exchange& x) {
  auto message = parser_->impl.release();
  x.req.method = to_verb(message.method());
  const std::string_view target = message.target();
  const auto question = std::min(target.find('?'), target.size());
  x.req.path = target.substr(0, question);
  if (question < target.size()) x.req.query = target.substr(question + 1);
  for (const auto& f : message) x.req.headers.emplace_back(lower(f.name_string()), f.value());
  x.req.body = std::move(message.body());
  error_code ignored;
  const auto peer = socket_.remote_endpoint(ignored);
  x.req.remote_address = peer.address().to_string();
  return message.keep_alive();
}

void session::append(const exchange& x, const response& r, bool keep_alive) {
  append_head(out_, r);
  append_end_of_head(x.request_id, keep_alive);
  if (x.req.method != verb::head && r.status != 204 && r.status != 304) out_ += r.bytes();
}

void session::append_end_of_head(std::string_view request_id, bool keep_alive) {
  out_ += date_line();
  out_ += "X-Request-Id: ";
  out_ += request_id;
  out_ += keep_alive ? "\r\n\r\n" : "\r\nConnection: close\r\n\r\n";
}

awaitable<bool> session::write_out() {
  error_code ec;
  set_deadline(settings_.http.body_timeout);
  co_await asio::async_write(socket_, asio::buffer(out_), asio::redirect_error(use_awaitable, ec));
  if (out_.capacity() > write_threshold_bytes)
    std::string().swap(out_);
  else
    out_.clear();
  set_deadline(idle_ ? settings_.http.idle_timeout : settings_.http.header_timeout);
  co_return !ec;
}

// Answers a request that could not be read, then reads on for a moment: closing at once would reset
// the connection and the client might never see the answer.
awaitable<void> session::refuse(int status, error e) {
  exchange x;
  x.request_id = next_request_id();
  append(x, problem(status, e, x.request_id), false);
  if (!co_await write_out()) co_return;
  error_code ec;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ec);
  set_deadline(2s);
  std::string sink(read_chunk_bytes, '\0');
  for (std::size_t total = 0; !ec && total < 16U << 20;)
    total += co_await socket_.async_read_some(asio::buffer(sink),
                                              asio::redirect_error(use_awaitable, ec));
}

awaitable<void> session::upgrade(exchange& x, const websocket_handler& handle) {
  const auto key = x.req.header("sec-websocket-key");
  if (x.req.method != verb::get || key.empty() || x.req.header("sec-websocket-version") != "13") {
    auto r =
        problem(426, {errc::invalid_argument, "open the WebSocket with version 13"}, x.request_id);
    append(x, r.with("Sec-WebSocket-Version", "13"), false);
    co_await write_out();
    co_return;
  }
  out_ += fmt::format(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: "
      "Upgrade\r\nSec-WebSocket-Accept: {}\r\n\r\n",
      ws::accept_key(key));
  auto parsed = parse_query(x.req.query);
  if (parsed) x.query_parameters = std::move(*parsed);
  // Credentials are judged before the first message; bad ones get the close code that tells clients
  // to stop trying.
  auto who = co_await routes_.authenticate()(x.req);
  if (!co_await write_out()) co_return;
  const websocket_limits limits{
      static_cast<std::size_t>(settings_.http.websocket_frame_limit_bytes),
      static_cast<std::size_t>(settings_.http.websocket_queue_limit_bytes)};
  websocket_ = std::make_shared<websocket>(std::move(socket_), in_.substr(in_start_), limits);
  parser_.reset();
  std::string().swap(in_);
  std::string().swap(out_);
  if (!who) {
    websocket_->close(ws::close_code::bad_token, who.error().message);
    co_await websocket_->run([](std::string_view) -> awaitable<void> { co_return; });
    co_return;
  }
  x.who = std::move(*who);
  co_await handle(x, *websocket_);
}

}  // namespace skirmish::http
