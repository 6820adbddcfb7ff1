#include "inventory/inventory_routes.hpp"

#include "http/json_schema.hpp"
#include "http/problem.hpp"
#include "interactions/interactions.hpp"

#include <boost/json/object.hpp>

namespace skirmish::inventory {
namespace {

namespace json = boost::json;
using namespace http;

awaitable<response> read(service& inventories, players::service& players, exchange& x) {
  const auto& id = x.path("id");
  if (!x.who.may_act_as(id))
    co_return problem({errc::forbidden, "a player may see only its own inventory"}, x.request_id);
  auto ask = [&inventories, &id] { return inventories.read(id); };
  auto items = co_await players::known(players, id, ask);
  if (!items) co_return problem(items.error(), x.request_id);
  json::object list;
  for (const auto& [item, quantity] : *items) list[item] = quantity;
  co_return json_response(json::object{{"player_id", id}, {"items", std::move(list)}});
}

awaitable<response> change(service& inventories, players::service& players, exchange& x) {
  const auto& id = x.path("id");
  const auto item = *x.text("item");
  const auto quantity = *x.integer("quantity");
  auto ask = [&inventories, &id, &item, quantity] {
    return inventories.change(id, item, quantity);
  };
  auto now = co_await players::known(players, id, ask);
  if (!now) co_return problem(now.error(), x.request_id);
  co_return json_response(json::object{{"player_id", id}, {"item", item}, {"quantity", *now}});
}

}  // namespace

void add_routes(router& routes, service& inventories, players::service& players) {
  const auto bind = [&inventories, &players](auto handle) {
    return
        [&inventories, &players, handle](exchange& x) { return handle(inventories, players, x); };
  };
  const std::string path = "/api/players/{id}/inventory";
  routes
      .add({verb::get,
            path,
            access::player,
            "What a player owns",
            bind(read),
            {},
            {},
            "{player_id, items: {item: quantity}}"})
      .gives(200, schema::object(
                      {{"player_id", schema::id()}, {"items", schema::map_of(schema::count())}}))
      .refuses({404});
  routes
      .add({verb::post,
            path,
            access::server,
            "Add to a player's inventory, or take from it",
            bind(change),
            shape::object({{"item", shape::id(), required},
                           {"quantity",
                            shape::integer(-interactions::quantity_max, interactions::quantity_max),
                            required, "negative takes away"}}),
            {},
            "{player_id, item, quantity}: what there is now. 409 when there is too little."})
      .gives(200, schema::object({{"player_id", schema::id()},
                                  {"item", schema::id()},
                                  {"quantity", schema::count()}}))
      .refuses({404, 409});
}

}  // namespace skirmish::inventory
