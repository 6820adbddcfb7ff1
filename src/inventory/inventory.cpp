#include "inventory/inventory.hpp"

#include "core/parse.hpp"
#include "inventory/inventory_keys.hpp"
#include "players/players.hpp"

namespace skirmish::inventory {
namespace {

const redis::script change_script{
    "inventory/change",
#include "inventory/change.lua.inc"
};

constexpr std::int64_t quantity_limit = 1LL << 53;  // Lua counts exactly below

const error unknown_player{errc::not_found, "there is no such player"};

}  // namespace

awaitable<result<std::map<std::string, std::int64_t>>> service::read(std::string player_id) {
  redis::request r;
  r.push("HGETALL", inventory_key(keys_, player_id));
  r.push("EXISTS", players::state_key(keys_, player_id));
  const auto replies = redis::checked(co_await redis_.exec(std::move(r)));
  if (!replies[1].as_bool()) co_return unknown_player;
  std::map<std::string, std::int64_t> out;
  for (const auto& [item, quantity] : replies[0].as_pairs())
    out.emplace(item, parse_integer(quantity).value_or(0));
  co_return out;
}

awaitable<result<std::int64_t>> service::change(std::string player_id, std::string item,
                                                std::int64_t quantity) {
  const auto key = inventory_key(keys_, player_id);
  const auto live = players::state_key(keys_, player_id);
  const auto profile = keys_.key(players::profile_name(player_id));
  const std::string_view keys[] = {key, live, profile};
  const auto by = std::to_string(quantity);
  const auto items = std::to_string(items_limit);
  const auto most = std::to_string(quantity_limit);
  const auto ttl = std::to_string(players::profile_ttl.count());
  const std::string_view args[] = {item, by, items, most, ttl};
  const auto reply = redis::checked(co_await redis_.eval(change_script, keys, args));
  if (const auto now = reply.as_integer()) co_return *now;
  if (reply.as_string() == "unknown") co_return unknown_player;
  if (reply.as_string() == "full")
    co_return error{errc::conflict, "the inventory holds no more than that"};
  co_return error{errc::conflict, "there is less than that in the inventory"};
}

}  // namespace skirmish::inventory
