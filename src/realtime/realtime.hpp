// The WebSocket `/api/ws`: the envelope, its message types, and subscriptions to channels.
//
// A client's message is a JSON object with one key that names its type, and a `cid` that is echoed
// in the answer. A message without `cid` from the server is a push. Features register their types
// with on_message(), their channels with on_channel().
#pragma once

#include "apikeys/apikeys.hpp"
#include "core/asio.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/event.hpp"
#include "http/gate.hpp"
#include "http/router.hpp"
#include "http/websocket.hpp"
#include "metrics/registry.hpp"
#include "realtime/subscription_quota.hpp"
#include "redis/subscriber.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/json/object.hpp>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

namespace skirmish::realtime {

namespace json = boost::json;

class gateway;

// The `cid` of a message as it is to be echoed; null when it has none.
json::value cid_of(const json::object& message);

// One client. Lives until its socket has closed and its work has ended; pushes to a closed one do
// nothing.
class connection : public std::enable_shared_from_this<connection> {
 public:
  connection(asio::io_context& io, http::websocket& socket, http::principal who,
             std::string stream_id, std::string_view remote_address);

  // Until something that failed for a moment may be tried again.
  static constexpr std::chrono::milliseconds usual_pause{500};

  [[nodiscard]] const http::principal& who() const noexcept { return who_; }
  [[nodiscard]] const http::caller& caller() const noexcept { return caller_; }
  [[nodiscard]] const std::string& stream_id() const noexcept { return stream_id_; }

  // Of its stream; 0 before it has one. Higher claims are newer.
  [[nodiscard]] std::int64_t claim() const noexcept { return claim_; }

  void push(const json::object& message);
  // A message that is the same for many: serialized once.
  void push_text(std::string_view text);
  // Whole WebSocket frames, encoded once for many.
  void push_encoded(std::string_view frames);
  // What was pushed and has not left yet: for pushes of which a slow reader needs only the latest.
  [[nodiscard]] std::size_t unsent_bytes() const noexcept {
    return socket_ ? socket_->queued_bytes() : 0;
  }
  // Waits until everything pushed so far has left, or the socket is gone.
  awaitable<void> wait_sent();
  // Ends it with 3008: it is too slow for what it has subscribed to, and may resume.
  void close_slow();
  // Ends it with 3501: another connection of its owner writes the stream now.
  void close_taken_over();
  // Ends it with 3500: its key has been revoked, or its session ended.
  void close_revoked();
  // Ends it with 3503: it is shut out for a time.
  void close_banned(const http::ban& why);
  // `{"cid":…}` and the members of `body`.
  void reply(const json::value& cid, json::object body);
  void fail(const json::object& message, const error& why,
            std::chrono::milliseconds retry_after = usual_pause);
  void fail(const json::value& cid, std::optional<std::int64_t> seq, const error& why,
            std::chrono::milliseconds retry_after = usual_pause);

  // `{"ack":n}`: several in one turn of the loop leave as one, with the highest number.
  void acknowledge(std::int64_t seq);

  // Work that was handed on and not yet answered. wait_for_room() holds the reader back while there
  // is too much.
  void begin_work() { ++working_; }
  void end_work();
  awaitable<void> wait_for_room();

  void closed();  // the socket is gone

 private:
  friend class gateway;
  void heard_of_claim(std::int64_t claim);

  asio::io_context& io_;
  http::websocket* socket_;
  http::principal who_;
  std::string stream_id_;
  std::int64_t claim_ = 0;
  std::int64_t newest_claim_ = 0;  // that was made on its stream
  std::string peer_;               // as quotas count
  http::caller caller_;            // as limits do
  std::int64_t ack_ = 0;
  bool ack_scheduled_ = false;
  bool was_used_ = false;  // since the gateway looked last
  std::size_t working_ = 0;
  event room_;
  std::set<std::string> channels_;
};

using message_handler = std::function<awaitable<void>(connection&, const json::object&)>;

// What a channel does when a client subscribes. Without a `join`, the gateway itself hands on what
// is published.
struct channel_kind {
  http::access who = http::access::anyone;
  // Keys of another scope than this or `read` may not subscribe, unless anyone may.
  http::scope group = http::scope::read;
  // The text that subscribers get for what was published on the Redis channel of the same name.
  std::function<std::string(std::string_view channel, std::string_view payload)> render = nullptr;
  // Whether this caller may subscribe to this very channel; anyone may without it.
  std::function<result<void>(const http::principal&, std::string_view channel)> may_join = nullptr;
  // Answers the subscription and sends to the client from then on, until `leave`; an error refuses
  // it.
  std::function<awaitable<result<void>>(connection&, std::string channel,
                                        const json::object& message)>
      join = nullptr;
  std::function<void(connection&, const std::string& channel)> leave = nullptr;
  // Of the channels of this kind, on one server thread.
  quota_limits limits = {};
};

// A channel for anyone: what is published is JSON, and subscribers get it as the `data` of an
// event.
channel_kind json_channel();

// Where the writer of a stream begins.
struct stream_place {
  std::uint64_t committed = 0;
  std::int64_t claim = 0;
};
// Makes a caller the writer of a stream; an error refuses it for good.
using stream_claimer =
    std::function<awaitable<result<stream_place>>(std::string stream_id, http::principal who)>;

// All clients of one server thread.
class gateway {
 public:
  // Frames and chat lines in work, a client; further ones wait in its socket.
  static constexpr std::size_t work_limit = 256;
  static constexpr std::size_t channels_limit = 256;

  // `prefix` stands before each channel's name in Redis: the world's tag.
  gateway(asio::io_context& io, redis::subscriber& subscriber, std::string prefix,
          const apikeys::revoked_keys& revoked, const clock& time, metrics::registry& metrics);

  // `group`: the scope that a key needs for it.
  void on_message(std::string type, http::access who, http::scope group, message_handler handle);
  // A channel by its exact name, or by its prefix when `name` ends in ':' ("near:").
  void on_channel(std::string name, channel_kind kind);
  // Asked when a socket opens with `?stream=<id>`. Claims, here or on other servers, are published
  // on `channel` as `<claim> <stream_id>`.
  void on_stream(const std::string& channel, stream_claimer claim);
  // Asks `limits` for each message. Call it when all types are there.
  void limit_by(http::gate& limits);

  // Asked of each caller whose socket has just joined the others.
  void check_again_by(http::caller_check still_admitted) {
    still_admitted_ = std::move(still_admitted);
  }

  // Closes the sockets of who is banned, as soon as the list says so.
  void refuse_banned(const http::ban_list& bans) noexcept { bans_ = &bans; }

  // Called now and then with each caller, and whether its socket has received something since.
  using use_handler = std::function<void(const http::principal&, bool was_used)>;
  void on_use(use_handler handler) { used_ = std::move(handler); }

  // Serves one socket until it closes.
  awaitable<void> serve(http::exchange& x, http::websocket& socket);

  // Closes the sockets of keys that are revoked, and of keys and sessions that have expired, until
  // cancelled.
  awaitable<void> close_revoked();
  // Closes those of callers that are no longer let in.
  void close_where(const std::function<bool(const http::principal&)>& has_ended);

  // Sends `text` to everyone subscribed to `channel` on this thread.
  void publish(const std::string& channel, std::string_view text);
  // The same for what a later one makes obsolete: readers with more unsent bytes are left out.
  void publish_latest(const std::string& channel, std::string_view text,
                      std::size_t unsent_max_bytes);
  [[nodiscard]] bool has_members(const std::string& channel) const {
    return channels_.contains(channel);
  }

 private:
  struct subscribers {
    std::set<std::shared_ptr<connection>> members;
    redis::subscription source;
  };

  struct message_type {
    http::access who = http::access::anyone;
    http::scope group = http::scope::none;
    message_handler handle;
    http::gate::target target = http::gate::unlimited;
  };

  bool close_if_banned(connection& c) const;
  awaitable<void> close_unless_admitted(connection& c, http::websocket& socket) const;
  awaitable<void> check_sockets();
  awaitable<void> close_logged_out();
  awaitable<void> receive(connection& c, std::string_view text);
  awaitable<void> handle(connection& c, const std::string& type, const message_type& is,
                         const json::object& message);
  // True when it may be handled; else the client has its answer.
  awaitable<bool> pass(connection& c, http::gate::target to, const json::object& message,
                       std::int64_t cost);
  [[nodiscard]] bool is_limited(const connection& c, http::gate::target to) const noexcept {
    return gate_ && to != http::gate::unlimited && gate_->concerns(to, c.who().as);
  }
  awaitable<void> subscribe(connection& c, const json::object& message);
  awaitable<void> unsubscribe(connection& c, const json::object& message);
  void leave(connection& c, const std::string& channel);
  using writers = std::multimap<std::string, connection*, std::less<>>;
  class writer_entry {
   public:
    writer_entry(writers& all, connection& c) : all_(all), place_(all.emplace(c.stream_id(), &c)) {}
    ~writer_entry() { all_.erase(place_); }
    writer_entry(const writer_entry&) = delete;
    writer_entry& operator=(const writer_entry&) = delete;

   private:
    writers& all_;
    writers::iterator place_;
  };
  awaitable<void> open_stream(connection& c, http::websocket& socket);
  void hear_claim(std::string_view payload);

  struct registered_kind {
    channel_kind is;
    subscription_quota quota;
  };
  registered_kind* find_channel(std::string_view name);
  awaitable<result<void>> join(connection& c, const channel_kind& kind, std::string channel,
                               const json::object& message);

  asio::io_context& io_;
  redis::subscriber& subscriber_;
  std::string prefix_;
  const apikeys::revoked_keys& revoked_;
  const clock& clock_;
  http::caller_check still_admitted_;
  use_handler used_ = [](const http::principal&, bool) {};
  // Open ones. Shared with their coroutines, which may outlive the gateway.
  const std::shared_ptr<std::set<connection*>> connections_ =
      std::make_shared<std::set<connection*>>();
  event joined_{io_};  // set when the first one comes
  // Of check_sockets(): what it has seen, and how often it looked.
  std::uint64_t seen_revoked_ = 0;
  std::uint64_t seen_bans_ = 0;
  unsigned checks_ = 0;
  std::map<std::string, message_type, std::less<>> messages_;
  http::gate* gate_ = nullptr;
  http::gate::target stray_ = http::gate::unlimited;  // of messages without a known type
  std::map<std::string, registered_kind, std::less<>> kinds_;
  std::map<std::string, subscribers, std::less<>> channels_;
  stream_claimer claim_;
  redis::subscription claims_;
  writers writers_;  // by stream
  metrics::gauge& open_;
  metrics::counter& received_;
  const http::ban_list* bans_ = nullptr;
};

}  // namespace skirmish::realtime
