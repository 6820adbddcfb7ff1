#include "redis/hash_dump.hpp"

#include "support/redis_fixture.hpp"

#include <fmt/format.h>

namespace skirmish::redis {
namespace {

TEST(crc64, has_the_known_check_value) { EXPECT_EQ(crc64("123456789"), 0xe9c6d914c4b8d9caU); }

class hash_dump_fixture : public testing::redis_fixture {};

TEST_F(hash_dump_fixture, is_what_the_server_itself_would_dump_but_for_the_version) {
  run([this]() -> awaitable<void> {
    checked(co_await redis.command("CONFIG", "SET", "rdbcompression", "no"));
    const std::string long_text(200, 'x');
    for (const auto& value : std::vector<std::string>{"",
                                                      "word",
                                                      "0",
                                                      "127",
                                                      "128",
                                                      "-1",
                                                      "4095",
                                                      "4096",
                                                      "-4097",
                                                      "32768",
                                                      "-8388608",
                                                      "8388608",
                                                      "2147483648",
                                                      "-2147483649",
                                                      "9007199254740992",
                                                      "007",
                                                      "-0",
                                                      "1.5",
                                                      std::string(63, 'a'),
                                                      std::string(64, 'b'),
                                                      std::string(126, 'c'),
                                                      long_text}) {
      const std::string_view texts[] = {"id", value, "damage", "7", "ts", "2026-01-01T00:00:00Z"};
      std::string dump;
      dump_hash(dump, texts);
      const auto put = co_await redis.command("RESTORE", "h", 60'000, dump, "REPLACE");
      EXPECT_EQ(put.as_string(), "OK") << value;
      EXPECT_EQ((co_await redis.command("HGET", "h", "id")).as_string(), value);
      EXPECT_EQ((co_await redis.command("HGET", "h", "damage")).as_string(), "7");
      EXPECT_GT((co_await redis.command("PTTL", "h")).as_integer().value_or(0), 0);
      co_await redis.command("DEL", "own");
      co_await redis.command("HSET", "own", "id", value, "damage", 7, "ts", "2026-01-01T00:00:00Z");
      const auto own = co_await redis.command("DUMP", "own");
      const auto trailer = std::size_t{10};  // version and checksum
      // A long value makes the server's own hash a table; the other form is as good.
      if (value.size() <= 64) {
        EXPECT_EQ(dump.substr(0, dump.size() - trailer),
                  own.as_string().substr(0, own.as_string().size() - trailer))
            << value;
      }
    }
    checked(co_await redis.command("CONFIG", "SET", "rdbcompression", "yes"));
  });
}

}  // namespace
}  // namespace skirmish::redis
