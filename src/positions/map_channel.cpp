#include "positions/map_channel.hpp"

#include "core/json_text.hpp"
#include "core/repeat.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <tuple>

namespace skirmish::positions {
namespace {

using namespace std::chrono_literals;
namespace json = boost::json;

// The whole map when absent; nullopt when it is no box.
std::optional<box> box_of(const json::object& body) {
  const auto* v = body.if_contains("bbox");
  if (!v) return box{};
  const auto* list = v->if_array();
  if (!list || list->size() != 4) return std::nullopt;
  double n[4]{};
  for (std::size_t i = 0; i < 4; ++i) {
    error_code ec;
    n[i] = (*list)[i].to_number<double>(ec);
    if (ec) return std::nullopt;
  }
  return checked_box(n[0], n[1], n[2], n[3]);
}

std::optional<std::int64_t> limit_of(const json::object& body) {
  const auto* v = body.if_contains("limit");
  if (!v) return map_channel::limit_default;
  if (!v->is_int64() || v->get_int64() < 1 || v->get_int64() > map_limit_max) return std::nullopt;
  return v->get_int64();
}

// `n` to the nearest part of one that `scale` names.
void append_rounded(std::string& out, double n, double scale) {
  append_json_number(out, std::round(n * scale) / scale);
}

// Columns: a quarter of the size of as many objects. Ids hold nothing that JSON escapes.
std::string packed(const map_view& view) {
  std::string ids;
  std::string lat;
  std::string lon;
  std::string age;
  for (const auto& p : view.points) {
    const auto* comma = ids.empty() ? "" : ",";
    fmt::format_to(std::back_inserter(ids), R"({}"{}")", comma, p.player_id);
    append_rounded(lat.append(comma), p.at.lat, 1e5);
    append_rounded(lon.append(comma), p.at.lon, 1e5);
    append_rounded(age.append(comma), p.age_s, 10);
  }
  return fmt::format(
      R"({{"event":{{"channel":"positions","data":{{"player_ids":[{}],"lat":[{}],"lon":[{}],"age_s":[{}],"total":{},"is_partial":{}}}}}}})",
      ids, lat, lon, age, view.total, view.is_partial);
}

}  // namespace

realtime::channel_kind map_channel::kind() {
  realtime::channel_kind out;
  out.who = http::access::admin;
  out.join = [this](realtime::connection& c, std::string channel, const json::object& message) {
    return join(c, std::move(channel), message);
  };
  out.leave = [this](realtime::connection& c, const std::string&) { leave(c); };
  return out;
}

awaitable<result<void>> map_channel::join(realtime::connection& c, std::string channel,
                                          const json::object& message) {
  const auto& body = message.at("subscribe").get_object();
  const auto part = box_of(body);
  const auto limit = limit_of(body);
  if (!part || !limit)
    co_return error{errc::invalid_argument,
                    "bbox is [west, south, east, north] in degrees, limit 1 to 10000"};
  leave(c);  // who subscribes again changes the box
  subscribers_.push_back({c.shared_from_this(), *part, *limit, {}, nullptr});
  c.reply(realtime::cid_of(message), {{"subscribed", json::object{{"channel", channel}}}});
  joined_.set();
  co_return result<void>();
}

void map_channel::leave(realtime::connection& c) {
  subscribers_.remove_if([&](const subscriber& s) { return s.who.get() == &c; });
}

awaitable<void> map_channel::run() {
  // Joining cuts the pause short, for the one who joins.
  repeat how{.interval = interval,
             .counts_from_end = true,
             .failed = "positions_failed",
             .wake = &joined_,
             .is_idle = [this] { return subscribers_.empty(); }};
  return repeat_every(std::move(how), [this] { return look(); });
}

// One round: each different box is read once, whoever wants to know, the longest waiting first,
// until the round has read its share. Nobody gets more than one push per interval (but for the
// jitter of a timer).
awaitable<void> map_channel::look() {
  using question = std::tuple<double, double, double, double, std::int64_t>;
  const auto question_of = [](const subscriber& s) {
    return question{s.part.west, s.part.south, s.part.east, s.part.north, s.limit};
  };
  subscribers_.sort([](const auto& a, const auto& b) { return a.asked_at < b.asked_at; });
  std::map<question, std::shared_ptr<const std::string>> views;
  const auto now = std::chrono::steady_clock::now();
  std::int64_t points = 0;
  for (auto& s : subscribers_) {
    if (now - s.asked_at < interval - 10ms) continue;
    const auto asked = question_of(s);
    if (!views.contains(asked)) {
      if (!views.empty() && points + s.limit > points_per_round) continue;
      points += s.limit;
      views[asked] = nullptr;
    }
    s.asked_at = now;
  }
  for (auto& [asked, text] : views) {
    const auto& [west, south, east, north, limit] = asked;
    const box part{west, south, east, north};
    text = co_await view(part, limit);
  }
  for (auto& s : subscribers_) {
    const auto found = views.find(question_of(s));
    if (found == views.end() || s.asked_at != now || !found->second) continue;  // not its turn
    if (s.told && *s.told == *found->second) continue;
    if (s.who->unsent_bytes() > unsent_max_bytes) continue;
    s.told = found->second;
    s.who->push_text(*s.told);
  }
}

awaitable<std::shared_ptr<const std::string>> map_channel::view(box part, std::int64_t limit) {
  const auto found = co_await map_.look_at(part, limit);
  co_return std::make_shared<const std::string>(packed(found));
}

}  // namespace skirmish::positions
