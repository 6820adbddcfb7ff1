#include "http/scope.hpp"

#include <gtest/gtest.h>

namespace skirmish::http {
namespace {

TEST(scopes, read_what_is_written) {
  EXPECT_TRUE(scopes().are_all());
  EXPECT_TRUE(scopes::parse("").value().are_all());
  EXPECT_EQ(scopes().to_text(), "");
  const auto two = scopes::parse("state,events").value();
  EXPECT_EQ(two.to_text(), "events,state");
  EXPECT_EQ(scopes::parse(two.to_text()).value().to_text(), "events,state");
  for (const auto* wrong : {"all", "events,", ",events", "Events", "events state", "none"})
    EXPECT_FALSE(scopes::parse(wrong)) << wrong;
  // Not the same as all: what has no group stays closed.
  EXPECT_FALSE(scopes::parse("chat,events,players,read,state,tasks").value().are_all());
}

TEST(scopes, allow_their_group_and_reading) {
  const auto events = scopes::parse("events").value();
  EXPECT_TRUE(events.allow(scope::events, false));
  EXPECT_TRUE(events.allow(scope::events, true));
  EXPECT_FALSE(events.allow(scope::state, true));
  const auto reader = scopes::parse("read").value();
  EXPECT_TRUE(reader.allow(scope::state, true));
  EXPECT_TRUE(reader.allow(scope::none, true));
  EXPECT_FALSE(reader.allow(scope::state, false));
  EXPECT_FALSE(events.allow(scope::none, true));
  EXPECT_TRUE(scopes().allow(scope::none, false));
}

TEST(scopes, the_longest_prefix_of_segments_names_the_group) {
  EXPECT_EQ(scope_of("/api/players/{id}"), scope::players);
  EXPECT_EQ(scope_of("/api/players/{id}/inventory"), scope::events);
  EXPECT_EQ(scope_of("/api/players/{id}/notifications/{notification}"), scope::tasks);
  EXPECT_EQ(scope_of("/api/players/{id}/inventories"), scope::players);
  EXPECT_EQ(scope_of("/api/keys/{key_id}"), scope::none);
  EXPECT_EQ(scope_of("/api/stately"), scope::none);
}

}  // namespace
}  // namespace skirmish::http
