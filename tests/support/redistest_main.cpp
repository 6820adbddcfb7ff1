// Runs the tests that need servers. One Redis server serves the whole binary.
#include "core/log.hpp"
#include "support/redis_server.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>

namespace skirmish::testing {
namespace {

std::unique_ptr<redis_server> shared;

}  // namespace

redis_server& shared_redis() {
  if (!shared) shared = std::make_unique<redis_server>();
  return *shared;
}

}  // namespace skirmish::testing

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  // Outages are provoked on purpose; their log lines are of interest only when a test fails.
  skirmish::log::set_level(std::getenv("SKIRMISH_TEST_LOG") != nullptr ? skirmish::log::level::debug
                                                                       : skirmish::log::level::off);
  const int failed = RUN_ALL_TESTS();
  skirmish::testing::shared.reset();
  return failed;
}
