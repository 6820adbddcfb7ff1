#include "metrics/registry.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skirmish::metrics {
namespace {

using ::testing::HasSubstr;

TEST(metrics, text_shows_every_kind) {
  registry all;
  all.add_counter("requests_total", "Requests.", "code=\"200\"").add(3);
  all.add_gauge("sockets", "Open sockets.").set(-2);
  all.add_histogram("latency_seconds", "Latency.").observe(0.002);
  all.add_callback("uptime_seconds", "Uptime.", [] { return 1.5; });
  const auto text = all.text();
  EXPECT_THAT(text, HasSubstr("# TYPE requests_total counter\nrequests_total{code=\"200\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("sockets -2\n"));
  EXPECT_THAT(text, HasSubstr("latency_seconds_bucket{le=\"0.001\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("latency_seconds_bucket{le=\"0.0025\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("latency_seconds_bucket{le=\"+Inf\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("latency_seconds_count 1\n"));
  EXPECT_THAT(text, HasSubstr("uptime_seconds 1.5\n"));
}

TEST(metrics, the_same_name_and_labels_are_the_same_metric) {
  registry all;
  EXPECT_EQ(&all.add_counter("a_total", "A."), &all.add_counter("a_total", "A."));
  EXPECT_NE(&all.add_counter("a_total", "A.", "x=\"1\""),
            &all.add_counter("a_total", "A.", "x=\"2\""));
  EXPECT_THROW(all.add_gauge("a_total", "A."), std::logic_error);
}

TEST(metrics, label_values_are_escaped) {
  EXPECT_EQ(registry::label_value("a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
}

}  // namespace
}  // namespace skirmish::metrics
