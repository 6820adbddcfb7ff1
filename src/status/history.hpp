// The history as charts and badges want it. Pure.
#pragma once

#include "status/store.hpp"

#include <optional>
#include <string>
#include <vector>

namespace skirmish::status {

// What a chart can show; more points are thinned out to this number.
inline constexpr std::size_t chart_points_max = 1000;

// The part of the time from the first point until `until` in which the server was online, in
// percent; nothing without points. A point holds until the next one.
std::optional<double> uptime_percent(const std::vector<history_point>& points, timestamp until);

// At most `limit` points: of each group that falls together, the last time, the largest number of
// players, and offline when any was, so that an outage never disappears.
std::vector<history_point> thin_out(const std::vector<history_point>& points, std::size_t limit);

// {"hours":24,"points":[{"t":"…","online":true,"players":12,"max_players":32}],"samples":144,
//  "uptime_percent":99.3,"players_peak":40}
std::string history_json(const std::vector<history_point>& points, std::int64_t hours,
                         timestamp until);

// A badge of two halves: "server | online 99.3 %".
std::string badge_svg(std::optional<bool> is_online, std::optional<double> uptime);

}  // namespace skirmish::status
