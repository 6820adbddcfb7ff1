#include "tasks/tasks_channels.hpp"

#include "core/repeat.hpp"
#include "http/websocket_codec.hpp"

#include <algorithm>

namespace skirmish::tasks {
namespace {

using namespace std::chrono_literals;

constexpr auto poll = 100ms;
constexpr auto push_interval = 950ms;  // the overview is computed sooner when something was changed
// A reader with more to read misses an overview, or is closed when it reads `tasks`.
constexpr std::size_t unsent_max_bytes = 256 << 10;

}  // namespace

operation_channels::operation_channels(asio::io_context& io, overview_board& board)
    : board_(board), joined_(io) {}

operation_channels::~operation_channels() {
  board_.task_readers -= static_cast<int>(readers_[tasks].size());
}

void operation_channels::add_to(realtime::gateway& gateway) {
  for (const auto channel : {queues, workers, tasks}) {
    realtime::channel_kind kind;
    kind.who = http::access::admin;
    kind.group = http::scope::tasks;
    kind.join = [this, channel](realtime::connection& c, std::string,
                                const realtime::json::object& message) {
      return join(channel, c, message);
    };
    kind.leave = [this, channel](realtime::connection& c, const std::string&) {
      leave(channel, c);
    };
    gateway.on_channel(names[channel], std::move(kind));
  }
}

awaitable<result<void>> operation_channels::join(which channel, realtime::connection& c,
                                                 const realtime::json::object& message) {
  auto& here = readers_[channel];
  if (here.size() >= readers_max && !here.contains(c.shared_from_this()))
    co_return error{errc::rate_limited, "too many read this channel"};
  if (!has_readers()) {
    told_ = board_.latest();  // which it gets below
    told_tasks_ = board_.latest_tasks();
    joined_.set();
  }
  const bool is_new = here.insert(c.shared_from_this()).second;
  if (is_new && channel == tasks) ++board_.task_readers;
  c.reply(realtime::cid_of(message),
          {{"subscribed", realtime::json::object{{"channel", names[channel]}}}});
  // So that a fresh page is full at once.
  if (const auto latest = board_.latest(); latest && channel != tasks)
    c.push_encoded(frame_of(channel, channel == queues ? latest->queues : latest->workers));
  co_return result<void>{};
}

void operation_channels::leave(which channel, realtime::connection& c) {
  if (readers_[channel].erase(c.shared_from_this()) > 0 && channel == tasks) --board_.task_readers;
}

std::string operation_channels::frame_of(which channel, const std::string& data) {
  const auto text =
      std::string(R"({"event":{"channel":")") + names[channel] + R"(","data":)" + data + "}}";
  std::string out;
  http::ws::encode(out, http::ws::opcode::text, text);
  return out;
}

void operation_channels::push(which channel, const std::string& data) {
  if (readers_[channel].empty()) return;
  const auto frame = frame_of(channel, data);
  // Closing one may make it leave.
  const auto here = readers_[channel];
  for (const auto& reader : here) {
    const bool is_slow = reader->unsent_bytes() > unsent_max_bytes;
    if (!is_slow)
      reader->push_encoded(frame);
    else if (channel == tasks)
      reader->close_slow();
  }
}

bool operation_channels::has_readers() const {
  return std::ranges::any_of(readers_, [](const auto& some) { return !some.empty(); });
}

void operation_channels::push_news() {
  const auto now = std::chrono::steady_clock::now();
  if (const auto latest = board_.latest();
      latest && latest != told_ && now - pushed_at_ >= push_interval) {
    told_ = latest;
    pushed_at_ = now;
    push(queues, latest->queues);
    push(workers, latest->workers);
  }
  if (const auto latest = board_.latest_tasks(); latest && latest != told_tasks_) {
    told_tasks_ = latest;
    push(tasks, latest->rows);
  }
}

awaitable<void> operation_channels::run() {
  repeat how{
      .interval = poll, .failed = "task_channels_failed", .wake = &joined_, .is_idle = [this] {
        return !has_readers();
      }};
  const auto round = [this]() -> awaitable<void> {
    push_news();
    co_return;
  };
  return repeat_every(std::move(how), round);
}

}  // namespace skirmish::tasks
