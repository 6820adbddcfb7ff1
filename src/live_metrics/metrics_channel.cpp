#include "live_metrics/metrics_channel.hpp"

#include "core/repeat.hpp"
#include "http/websocket_codec.hpp"

namespace skirmish::live_metrics {
namespace {

using namespace std::chrono_literals;

constexpr auto poll = 200ms;
constexpr std::size_t unsent_max_bytes = 256 << 10;  // a reader with more to read misses a second

std::string frame_of(const std::string& data) {
  std::string out;
  http::ws::encode(out, http::ws::opcode::text,
                   R"({"event":{"channel":"metrics","data":)" + data + "}}");
  return out;
}

}  // namespace

void metrics_channel::add_to(realtime::gateway& gateway) {
  realtime::channel_kind kind;
  kind.who = http::access::admin;
  kind.join = [this](realtime::connection& c, std::string, const realtime::json::object& message) {
    return join(c, message);
  };
  kind.leave = [this](realtime::connection& c, const std::string&) {
    readers_.erase(c.shared_from_this());
  };
  gateway.on_channel(name, std::move(kind));
}

awaitable<result<void>> metrics_channel::join(realtime::connection& c,
                                              const realtime::json::object& message) {
  if (readers_.size() >= readers_max && !readers_.contains(c.shared_from_this()))
    co_return error{errc::rate_limited, "too many read this channel"};
  c.reply(realtime::cid_of(message), {{"subscribed", realtime::json::object{{"channel", name}}}});
  if (readers_.empty()) joined_.set();
  push_latest();
  if (told_ == timestamp{}) {
    readers_.insert(c.shared_from_this());  // gets all with the first second
    co_return result<void>{};
  }
  c.push_encoded(whole_frame());
  // Those before get the last second of it, which the newcomer has already.
  push_latest();
  readers_.insert(c.shared_from_this());
  co_return result<void>{};
}

// Ends with told_, or with a second that came just now.
const std::string& metrics_channel::whole_frame() {
  if (whole_until_ == told_) return whole_;
  auto all = samples_.whole();
  whole_ = frame_of(all.json_text);
  whole_until_ = all.until;
  return whole_;
}

void metrics_channel::send(const std::string& frame) {
  // One that is closed may leave at once.
  const auto here = readers_;
  for (const auto& reader : here)
    if (reader->unsent_bytes() <= unsent_max_bytes) reader->push_encoded(frame);
}

void metrics_channel::push_latest() {
  const auto latest = samples_.latest();
  if (!latest || latest->at == told_) return;
  const bool is_next = latest->at - told_ == recent_samples::step;
  told_ = latest->at;
  if (readers_.empty()) return;
  if (is_next)
    send(frame_of(to_json_text(*latest)));
  else
    send(whole_frame());
}

awaitable<void> metrics_channel::run() {
  repeat how{
      .interval = poll, .failed = "metrics_channel_failed", .wake = &joined_, .is_idle = [this] {
        return readers_.empty();
      }};
  const auto round = [this]() -> awaitable<void> {
    push_latest();
    co_return;
  };
  return repeat_every(std::move(how), round);
}

}  // namespace skirmish::live_metrics
