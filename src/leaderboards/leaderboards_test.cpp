#include "leaderboards/place.hpp"

#include <gtest/gtest.h>
#include <sodium.h>

namespace skirmish::leaderboards {
namespace {

TEST(cursor, survives_the_way_to_the_client_and_back) {
  ASSERT_GE(sodium_init(), 0);
  const std::string entry = std::string(place_bytes, '\xFF') + "player:1";
  const auto text = to_text({direction::before, entry});
  EXPECT_EQ(text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                   "0123456789-_"),
            std::string::npos);
  const auto back = parse_cursor(text);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->entry, entry);
  EXPECT_EQ(back->to, direction::before);
}

TEST(cursor, refuses_what_it_did_not_make) {
  ASSERT_GE(sodium_init(), 0);
  const auto good = to_text({direction::after, std::string(place_bytes, '\0') + "p1"});
  for (const auto& bad : {std::string(), std::string("1"), std::string("%%%"), good.substr(0, 20),
                          good + "=", to_text({direction::after, std::string(place_bytes, 'x')}),
                          to_text({direction::after, std::string(place_bytes, 'x') + "a b"}),
                          to_text({direction::after, std::string(1'000, 'x')})})
    EXPECT_FALSE(parse_cursor(bad)) << bad;
}

}  // namespace
}  // namespace skirmish::leaderboards
