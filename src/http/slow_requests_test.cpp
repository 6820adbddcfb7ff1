#include "http/slow_requests.hpp"

#include <gtest/gtest.h>

namespace skirmish::http {
namespace {

using namespace std::chrono_literals;

const timestamp start{1'700'000'000s};

TEST(slow_requests, lists_the_latest_first_for_an_hour) {
  slow_requests all;
  all.note({start, verb::get, "/a", 200, 300ms, "1"});
  all.note({start + 1s, verb::get, "/b", 200, 400ms, "2"});
  ASSERT_EQ(all.list(start + 2s, 10).size(), 2U);
  EXPECT_EQ(all.list(start + 2s, 10)[0].route, "/b");
  EXPECT_EQ(all.list(start + 2s, 1).size(), 1U);
  EXPECT_EQ(all.list(start + 1h + 1s, 10).size(), 1U);
  EXPECT_TRUE(all.list(start + 2h, 10).empty());
}

TEST(slow_requests, is_bounded) {
  slow_requests all;
  for (std::size_t i = 0; i < 2 * slow_requests::limit; ++i)
    all.note({start, verb::get, "/a", 200, 300ms, std::to_string(i)});
  const auto found = all.list(start, 10'000);
  ASSERT_EQ(found.size(), slow_requests::limit);
  EXPECT_EQ(found[0].request_id, std::to_string(2 * slow_requests::limit - 1));
}

}  // namespace
}  // namespace skirmish::http
