#include "positions/near_channel.hpp"

#include "core/json_text.hpp"
#include "core/repeat.hpp"
#include "positions/near_json.hpp"

#include <map>
#include <tuple>

namespace skirmish::positions {
namespace {

using namespace std::chrono_literals;
namespace json = boost::json;

constexpr std::string_view prefix = "near:";

// A whole number of the subscription, its default when absent, nothing when out of range.
std::optional<std::int64_t> number_of(const json::object& body, const char* name,
                                      std::int64_t fallback, std::int64_t most) {
  const auto* v = body.if_contains(name);
  if (!v) return fallback;
  if (!v->is_int64() || v->get_int64() < 1 || v->get_int64() > most) return std::nullopt;
  return v->get_int64();
}

}  // namespace

realtime::channel_kind near_channel::kind() {
  realtime::channel_kind out;
  out.who = http::access::player;
  out.join = [this](realtime::connection& c, std::string channel, const json::object& message) {
    return join(c, std::move(channel), message);
  };
  out.limits = {players_max, players_max / 4};
  out.leave = [this](realtime::connection& c, const std::string& channel) { leave(c, channel); };
  return out;
}

awaitable<result<void>> near_channel::join(realtime::connection& c, std::string channel,
                                           const json::object& message) {
  const auto player = channel.substr(prefix.size());
  if (!c.who().may_act_as(player))
    co_return error{errc::forbidden, "a player sees only who is near itself"};
  const auto& body = message.at("subscribe").get_object();
  const auto radius = number_of(body, "radius_m", 1'000, static_cast<std::int64_t>(distance_max_m));
  const auto limit = number_of(body, "limit", 50, near_limit_max);
  if (!radius || !limit)
    co_return error{errc::invalid_argument,
                    "radius_m is 1 to 20015115, limit 1 to 1000, both whole numbers"};
  leave(c, channel);  // who subscribes again changes the radius
  subscribers_.push_back({c.shared_from_this(), channel, player, *radius, *limit, {}, nullptr});
  c.reply(realtime::cid_of(message), {{"subscribed", json::object{{"channel", channel}}}});
  joined_.set();
  co_return result<void>();
}

void near_channel::leave(realtime::connection& c, const std::string& channel) {
  subscribers_.remove_if(
      [&](const subscriber& s) { return s.who.get() == &c && s.channel == channel; });
}

awaitable<void> near_channel::run() {
  // Joining cuts the pause short, for the one who joins.
  repeat how{.interval = interval,
             .counts_from_end = true,
             .failed = "near_failed",
             .wake = &joined_,
             .is_idle = [this] { return subscribers_.empty(); }};
  return repeat_every(std::move(how), [this] { return look(); });
}

// One round: each different question is asked once, whoever wants to know, and of nobody more often
// than once an interval (but for the jitter of a timer).
awaitable<void> near_channel::look() {
  using question = std::tuple<std::string, std::int64_t, std::int64_t>;
  std::map<question, std::shared_ptr<const std::string>> views;
  const auto now = std::chrono::steady_clock::now();
  for (auto& s : subscribers_) {
    if (now - s.asked_at < interval - 10ms) continue;
    s.asked_at = now;
    views[{s.player_id, s.radius_m, s.limit}] = nullptr;
  }
  for (auto& [asked, text] : views) {
    const auto& [player, radius, limit] = asked;
    text = co_await view(std::string(prefix) + player, player, radius, limit);
  }
  for (auto& s : subscribers_) {
    const auto found = views.find({s.player_id, s.radius_m, s.limit});
    if (found == views.end()) continue;  // not its turn
    if (s.told && *s.told == *found->second) continue;
    if (s.who->unsent_bytes() > unsent_max_bytes) continue;
    s.told = found->second;
    s.who->push_text(*s.told);
  }
}

awaitable<std::shared_ptr<const std::string>> near_channel::view(std::string channel,
                                                                 std::string player_id,
                                                                 std::int64_t radius_m,
                                                                 std::int64_t limit) {
  const auto at = co_await positions_.position(player_id);
  json::object data{{"position", nullptr}, {"players", json::array()}};
  if (at) {
    near_query q;
    q.middle = *at;
    q.radius_m = static_cast<double>(radius_m);
    q.limit = limit;
    q.except = player_id;
    const auto found = co_await positions_.near(std::move(q));
    data["position"] = json::object{{"lat", at->lat}, {"lon", at->lon}};
    data["players"] = to_json(found);
  }
  const json::object push{{"event", json::object{{"channel", channel}, {"data", std::move(data)}}}};
  co_return std::make_shared<const std::string>(json_text_of(push));
}

}  // namespace skirmish::positions
