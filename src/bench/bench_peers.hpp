// The other task queues that `skirmish bench tasks` measures in the same run, when they are
// installed.
#pragma once

#include <boost/json/object.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace skirmish::cli {

// {"enqueue", "drain", …} in tasks per second, or nothing when the peer is not installed. `dir` is
// a scratch directory; the Redis server at `port` is the benchmark's own.
std::optional<boost::json::object> bench_celery(const std::string& dir, std::uint16_t port,
                                                std::size_t tasks);
std::optional<boost::json::object> bench_bullmq(const std::string& dir, std::uint16_t port,
                                                std::size_t tasks);

}  // namespace skirmish::cli
