#include "positions/public_map.hpp"

#include "core/json_text.hpp"
#include "http/json_schema.hpp"
#include "http/problem.hpp"

#include <boost/asio/redirect_error.hpp>
#include <fmt/format.h>

#include <iterator>

namespace skirmish::positions {
namespace {

using namespace http;

constexpr double km_per_degree = earth_radius_m / 1'000 * 3.14159265358979 / 180;

std::string to_text(const density& of) {
  std::string lat;
  std::string lon;
  std::string players;
  for (const auto& cell : of.cells) {
    const auto* comma = lat.empty() ? "" : ",";
    lat.append(comma).append(rounded_json_number(cell.middle.lat, 4));
    lon.append(comma).append(rounded_json_number(cell.middle.lon, 4));
    fmt::format_to(std::back_inserter(players), "{}{}", comma, cell.players);
  }
  return fmt::format(R"({{"cell_deg":{},"lat":[{}],"lon":[{}],"players":[{}],"total":{}}})",
                     rounded_json_number(of.cell_deg, 6), lat, lon, players, of.total);
}

}  // namespace

public_map::public_map(asio::io_context& io, map_reader& map, double cell_km)
    : map_(map), cell_deg_(cell_km / km_per_degree), read_done_(io) {}

// Whoever waits is woken, however the reading ends.
awaitable<void> public_map::read() {
  struct ender {
    public_map& self;
    ~ender() {
      self.is_reading_ = false;
      self.read_done_.expires_at(steady::time_point::min());
    }
  };
  is_reading_ = true;
  read_done_.expires_at(steady::time_point::max());
  const ender at_exit{*this};
  const auto found = co_await map_.count(cell_deg_);
  body_ = std::make_shared<const std::string>(to_text(found));
  read_at_ = steady::now();
}

awaitable<response> public_map::answer(exchange& x) {
  if (cell_deg_ == 0) co_return problem({errc::not_found, "this site shows no map"}, x.request_id);
  const bool is_old = !body_ || steady::now() >= read_at_ + life;
  if (is_old && !is_reading_) {
    co_await read();
  } else if (!body_) {
    error_code ignored;
    co_await read_done_.async_wait(asio::redirect_error(use_awaitable, ignored));
    if (!body_) throw failure(errc::unavailable, "the map could not be read");
  }
  response out;
  out.shared_body = body_;
  out.with("Cache-Control", fmt::format("public, max-age={}", life.count()));
  co_return out;
}

void public_map::add_to(router& routes) {
  const auto numbers = schema::array_of(schema::number());
  routes
      .add({verb::get,
            "/api/positions/density",
            access::anyone,
            "How many players are where, on the map for visitors",
            [this](exchange& x) { return answer(x); },
            {},
            {},
            "Squares of `cell_deg` degrees: the columns `lat` and `lon` are their middles, "
            "`players` "
            "says how many are in each. At most 4000 squares, as of at most ten seconds ago. 404 "
            "unless the setting `site.shows` has `map`."})
      .gives(200, schema::object({{"cell_deg", schema::number()},
                                  {"lat", numbers},
                                  {"lon", numbers},
                                  {"players", schema::array_of(schema::count())},
                                  {"total", schema::count()}}))
      .refuses({404});
}

}  // namespace skirmish::positions
