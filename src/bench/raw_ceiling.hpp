// What Redis alone can do: the writes of an attack, pipelined by a client without any server.
#pragma once

#include "bench/interaction_load.hpp"

#include <chrono>
#include <string>

namespace skirmish::cli {

// For each attack HSET attack + EXPIRE + 2 HINCRBY player + ZINCRBY active + HINCRBY slice, in
// batches of 500, two of them on their way. Players and skew are the plan's. Returns attacks a
// second. Throws failure{unavailable}.
double measure_raw_ceiling(const std::string& unix_socket, const load_plan& plan,
                           std::chrono::milliseconds duration);

}  // namespace skirmish::cli
