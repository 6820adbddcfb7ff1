#include "notifications/notifications_routes.hpp"

#include "http/json_schema.hpp"
#include "http/problem.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

namespace skirmish::notifications {
namespace {

namespace json = boost::json;
using namespace http;

const error not_yours{errc::forbidden, "a player may see only its own notifications"};
const error no_id{errc::invalid_argument, "this is not the id of a notification"};

awaitable<response> list(service& all, exchange& x) {
  const auto& player_id = x.path("id");
  if (!x.who.may_act_as(player_id)) co_return problem(not_yours, x.request_id);
  std::optional<message_id> after;
  if (!x.query("cursor").empty()) {
    after = parse_stream_id(x.query("cursor"));
    if (!after) co_return problem(no_id, x.request_id);
  }
  const auto limit = x.query_integer("limit");
  // One more than asked for tells whether there is a next page.
  auto unread = co_await all.unread(player_id, after, limit + 1);
  const bool more = static_cast<std::int64_t>(unread.size()) > limit;
  if (more) unread.pop_back();
  json::array items;
  for (const auto& n : unread) items.push_back(to_json(n));
  json::value next;
  if (more) next = to_string(unread.back().id);
  co_return json_response(json::object{{"items", std::move(items)}, {"next_cursor", next}});
}

awaitable<response> read_one(service& all, exchange& x) {
  const auto& player_id = x.path("id");
  if (!x.who.may_act_as(player_id)) co_return problem(not_yours, x.request_id);
  const auto id = parse_stream_id(x.path("notification"));
  if (!id) co_return problem(no_id, x.request_id);
  const auto read = co_await all.read_one(player_id, *id);
  co_return read ? no_content() : problem(read.error(), x.request_id);
}

awaitable<response> read_all(service& all, exchange& x) {
  const auto& player_id = x.path("id");
  if (!x.who.may_act_as(player_id)) co_return problem(not_yours, x.request_id);
  const auto last = parse_stream_id(*x.text("up_to"));
  if (!last) co_return problem(no_id, x.request_id);
  const auto count = co_await all.read_up_to(player_id, *last);
  co_return json_response(json::object{{"read", count}});
}

}  // namespace

void add_routes(router& routes, service& all) {
  const auto bind = [&all](auto handle) {
    return [&all, handle](exchange& x) { return handle(all, x); };
  };
  const std::string path = "/api/players/{id}/notifications";
  routes
      .add({verb::get,
            path,
            access::player,
            "What a player has not read yet, oldest first",
            bind(list),
            {},
            {limit_parameter(), cursor_parameter()},
            "{items: [{id, text, ts}], next_cursor}"})
      .gives(200, schema::page_of(schema::object(
                      {{"id", schema::text()}, {"text", schema::text()}, {"ts", schema::text()}})));
  routes
      .add({verb::post,
            path + "/read",
            access::player,
            "Mark a player's notifications as read: they are forgotten",
            bind(read_all),
            shape::object({{"up_to", shape::id(), required, "the id of the last one read"}}),
            {},
            "{read}: how many those were"})
      .gives(200, schema::object({{"read", schema::count()}}));
  routes
      .add({verb::delete_,
            path + "/{notification}",
            access::player,
            "Mark one notification as read: it is forgotten",
            bind(read_one),
            {},
            {},
            "204, or 404 when it is not there any more"})
      .gives_nothing()
      .refuses({404});
}

void add_channel(realtime::gateway& gateway, pusher& push) {
  realtime::channel_kind kind;
  kind.who = access::player;
  kind.join = [&push](realtime::connection& c, std::string channel, const json::object& m) {
    return push.join(c, std::move(channel), m);
  };
  kind.leave = [&push](realtime::connection& c, const std::string& channel) {
    push.leave(c, channel);
  };
  gateway.on_channel(std::string(pusher::channel_prefix), std::move(kind));
}

}  // namespace skirmish::notifications
