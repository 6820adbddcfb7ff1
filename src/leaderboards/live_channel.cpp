#include "leaderboards/live_channel.hpp"

#include "core/json_text.hpp"
#include "http/websocket_codec.hpp"
#include "leaderboards/leaderboards_json.hpp"

#include <algorithm>

namespace skirmish::leaderboards {
namespace {

namespace json = boost::json;

constexpr std::string_view prefix = "leaderboard:";

std::size_t shown(const board_top& top, std::int64_t limit) {
  return std::min(top.entries.size(), static_cast<std::size_t>(limit));
}

// Whether a reader of the first `limit` sees no difference.
bool looks_same(const board_top& a, const board_top& b, std::int64_t limit) {
  const auto n = static_cast<std::ptrdiff_t>(shown(a, limit));
  return shown(a, limit) == shown(b, limit) &&
         std::equal(a.entries.begin(), a.entries.begin() + n, b.entries.begin());
}

}  // namespace

struct live_channel::reader {
  std::shared_ptr<realtime::connection> who;  // null once it has left
  std::string channel;
  std::int64_t limit = limit_default;
  std::shared_ptr<const board_top> told;  // the last one sent
  std::shared_ptr<const board_top> next;  // waits for that one to have left
  bool is_sending = false;
  live_boards::interest interest;
};

void live_channel::add_to(realtime::gateway& gateway) {
  realtime::channel_kind kind;
  kind.join = [this](realtime::connection& c, std::string channel, const json::object& m) {
    return join(c, std::move(channel), m);
  };
  kind.leave = [this](realtime::connection& c, const std::string& channel) {
    const auto at = readers_.find({&c, channel});
    if (at == readers_.end()) return;
    at->second->interest.end();
    at->second->who = nullptr;
    readers_.erase(at);
  };
  kind.limits = {boards_max, boards_max / 4};
  gateway.on_channel(std::string(prefix), std::move(kind));
}

awaitable<result<void>> live_channel::join(realtime::connection& c, std::string channel,
                                           const json::object& message) {
  const auto* limit = message.at("subscribe").as_object().if_contains("limit");
  if (limit && (!limit->is_int64() || limit->get_int64() < 1 || limit->get_int64() > limit_max))
    co_return error{errc::invalid_argument, "limit must be 1 to " + std::to_string(limit_max)};
  const bool exists = co_await tops_.exists(channel.substr(prefix.size()));
  if (!exists) co_return error{errc::not_found, "there is no such board"};
  auto& place = readers_[{&c, channel}];
  // Subscribed before: with another limit perhaps.
  if (place) place->who = nullptr;
  place = std::make_shared<reader>();
  place->who = c.shared_from_this();
  place->channel = channel;
  if (limit) place->limit = limit->get_int64();
  const std::weak_ptr<reader> weak = place;
  auto on_top = [this, weak](const std::shared_ptr<const board_top>& top) {
    if (const auto to = weak.lock()) take(to, top);
  };
  c.reply(realtime::cid_of(message), {{"subscribed", json::object{{"channel", channel}}}});
  place->interest = tops_.watch(channel.substr(prefix.size()), std::move(on_top));
  co_return result<void>{};
}

void live_channel::take(const std::shared_ptr<reader>& to,
                        const std::shared_ptr<const board_top>& top) {
  to->next = top;
  if (to->is_sending) return;
  to->is_sending = true;
  group_.spawn("leaderboard_push", [this, to] { return send(to); });
}

awaitable<void> live_channel::send(std::shared_ptr<reader> to) {
  while (to->who && to->next) {
    const auto top = std::exchange(to->next, nullptr);
    if (to->told && looks_same(*to->told, *top, to->limit)) continue;
    to->told = top;
    to->who->push_encoded(encode(to->channel, top, to->limit));
    const auto who = to->who;
    co_await who->wait_sent();
  }
  to->is_sending = false;
}

const std::string& live_channel::encode(const std::string& channel,
                                        const std::shared_ptr<const board_top>& top,
                                        std::int64_t limit) {
  if (encoded_of_.lock() == top && encoded_limit_ == limit) return encoded_;
  json::array items;
  for (std::size_t i = 0; i < shown(*top, limit); ++i) items.push_back(to_json(top->entries[i]));
  const json::object data{{"board", top->board},
                          {"version", top->version},
                          {"total", top->total},
                          {"items", std::move(items)}};
  const json::object event{{"event", json::object{{"channel", channel}, {"data", data}}}};
  encoded_.clear();
  http::ws::encode(encoded_, http::ws::opcode::text, json_text_of(event));
  encoded_of_ = top;
  encoded_limit_ = limit;
  return encoded_;
}

}  // namespace skirmish::leaderboards
