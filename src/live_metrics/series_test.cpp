#include "live_metrics/series.hpp"

#include <boost/json/parse.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace skirmish::live_metrics {
namespace {

using namespace std::chrono_literals;
namespace json = boost::json;

constexpr timestamp start{1'700'000'000'000ms};

sample with_online(timestamp at, double n) {
  sample s{at, {}};
  s.of[online] = n;
  return s;
}

json::object parsed(const std::string& text) { return json::parse(text).as_object(); }

TEST(live_metrics, series_of_a_name_are_summed) {
  metrics::registry all;
  all.add_counter("tasks_total", "", "task=\"a b}\",outcome=\"failed\"").add(2);
  all.add_counter("tasks_total", "", "task=\"c\",outcome=\"failed\"").add(3);
  all.add_counter("tasks_total", "", "task=\"c\",outcome=\"succeeded\"").add(7);
  all.add_callback("age_seconds", "", [] { return -1.5; });
  const reading r(all.text());
  EXPECT_EQ(r.sum("tasks_total"), 12);
  EXPECT_EQ(r.sum("tasks_total", "outcome=\"failed\""), 5);
  EXPECT_EQ(r.sum("age_seconds"), -1.5);
  EXPECT_EQ(r.sum("tasks"), std::nullopt);
}

TEST(live_metrics, quantiles_are_linear_within_a_bucket) {
  metrics::registry all;
  auto& a = all.add_histogram("took_seconds", "", "route=\"a\"");
  auto& b = all.add_histogram("took_seconds", "", "route=\"b\"");
  for (int i = 0; i < 5; ++i) a.observe(0.04);
  for (int i = 0; i < 5; ++i) b.observe(0.04);
  const auto counts = reading(all.text()).histogram("took_seconds");
  ASSERT_TRUE(counts);
  EXPECT_NEAR(*quantile(*counts, 0.5), 0.0375, 1e-9);  // between 25 and 50 ms
  EXPECT_NEAR(*quantile(*counts, 1), 0.05, 1e-9);
  b.observe(60);
  EXPECT_EQ(quantile(*reading(all.text()).histogram("took_seconds"), 1), 10);
  EXPECT_EQ(quantile(buckets{}, 0.5), std::nullopt);
}

TEST(live_metrics, rates_are_of_the_time_that_passed) {
  metrics::registry all;
  auto& events = all.add_counter("skirmish_events_accepted_total", "");
  auto& took = all.add_histogram("skirmish_commit_duration_seconds", "");
  events.add(100);
  took.observe(5);
  const reading before(all.text());
  events.add(50);
  const auto quiet = values_between(before, reading(all.text()), 2s);
  EXPECT_EQ(quiet[interactions_per_s], 25);
  EXPECT_TRUE(std::isnan(quiet[commit_p99_ms])) << "nothing was committed";
  EXPECT_TRUE(std::isnan(quiet[tasks_started_per_s])) << "there is no such metric";
  took.observe(0.0008);
  EXPECT_NEAR(values_between(before, reading(all.text()), 1s)[commit_p50_ms], 0.75, 1e-9);
}

TEST(live_metrics, the_ring_keeps_900_seconds_and_knows_what_it_missed) {
  recent_samples ring;
  EXPECT_FALSE(ring.latest());
  for (int i = 0; i < 1'000; ++i) ring.put(with_online(start + i * 1s, i));
  ring.put(with_online(start + 1'002s, 1'002));
  const auto all = ring.whole();
  EXPECT_EQ(all.until, start + 1'002s);
  const auto body = parsed(all.json_text);
  EXPECT_EQ(body.at("step_s").as_int64(), 1);
  EXPECT_EQ(body.at("until").as_string(), to_rfc3339(all.until));
  EXPECT_EQ(body.at("series").as_object().size(), names.size());
  const auto& known = body.at("series").at("online").as_array();
  ASSERT_EQ(known.size(), recent_samples::capacity);
  EXPECT_EQ(known[0].to_number<int>(), 103);
  EXPECT_EQ(known[896].to_number<int>(), 999);
  EXPECT_TRUE(known[897].is_null());
  EXPECT_TRUE(known[898].is_null());
  EXPECT_EQ(known[899].to_number<int>(), 1'002);
}

TEST(live_metrics, a_clock_set_back_does_not_stop_the_ring) {
  recent_samples ring;
  ring.put(with_online(start, 1));
  ring.put(with_online(start - 1h, 2));
  ring.put(with_online(start + 24h, 3));  // far ahead: nothing of the last 15 minutes is known
  const auto body = parsed(ring.whole().json_text);
  const auto& known = body.at("series").at("online").as_array();
  EXPECT_TRUE(known[898].is_null());
  EXPECT_EQ(known[899].to_number<int>(), 3);
}

TEST(live_metrics, a_second_as_text) {
  const auto body = parsed(to_json_text(with_online(start, 12.34567)));
  EXPECT_EQ(body.at("at").as_string(), to_rfc3339(start));
  EXPECT_EQ(body.at("values").at("online").to_number<double>(), 12.346);
  EXPECT_TRUE(body.at("values").at("pending_age_s").is_null());
}

}  // namespace
}  // namespace skirmish::live_metrics
