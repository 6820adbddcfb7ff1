#include "core/iso_time.hpp"

#include "core/clock.hpp"

#include <gtest/gtest.h>

namespace skirmish {
namespace {

TEST(iso_time, both_forms_read_rfc_3339) {
  for (const auto* text :
       {"2026-11-21T03:06:11Z", "2026-11-21t03:06:11.028886z", "2026-11-21 03:06:11.5-05:30",
        "2016-12-31T23:59:60Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z"}) {
    const auto time = parse_time(text, time_form::rfc3339);
    ASSERT_TRUE(time) << text;
    EXPECT_EQ(parse_time(text, time_form::iso8601), time) << text;
    EXPECT_EQ(parse_rfc3339(text), std::chrono::floor<std::chrono::milliseconds>(*time)) << text;
  }
}

TEST(iso_time, only_iso_8601_leaves_parts_out) {
  const auto expected = parse_time("2026-11-21T03:06:00Z", time_form::rfc3339);
  for (const auto* text :
       {"2026-11-21T03:06", "2026-11-21T03:06Z", "2026-11-21T03:06:00", "2026-11-21T04:06:00+01",
        "2026-11-21T04:06:00+0100", "2026-11-21T04:06:30+01:00:30", "2026-11-21T03:06:00,0"}) {
    EXPECT_EQ(parse_time(text, time_form::iso8601), expected) << text;
    EXPECT_FALSE(parse_time(text, time_form::rfc3339)) << text;
  }
  EXPECT_TRUE(parse_time("2026-11-21", time_form::iso8601));
  EXPECT_FALSE(parse_time("2026-11-21", time_form::rfc3339));
}

TEST(iso_time, neither_form_reads_anything_else) {
  for (const auto* bad :
       {"", "now", "2026-13-21T03:06:11Z", "2026-02-29T03:06:11Z", "2026-11-21T24:06:11Z",
        "2026-11-21T03:60:11Z", "2026-11-21T03:06:61Z", "2026-11-21T03:06:11.Z",
        "2026-11-21T03:06:11Zx", "0000-01-01T00:00:00Z", "2026-11-21T03:06:11+25:00",
        "2026-11-21T03:06:11+01:60", "2026-11-21T03:06:11+1", "2026-11-21X03:06:11Z",
        "2026-11-21T03:06:1", "2026-11-21T03:06:"}) {
    EXPECT_FALSE(parse_time(bad, time_form::rfc3339)) << bad;
    EXPECT_FALSE(parse_time(bad, time_form::iso8601)) << bad;
  }
}

}  // namespace
}  // namespace skirmish
