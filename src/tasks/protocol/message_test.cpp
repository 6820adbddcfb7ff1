// What a worker reads in messages of protocols 1 and 2, without running anything.
#include "tasks/protocol/message.hpp"

#include "tasks/protocol/envelope.hpp"
#include "tasks/protocol/result_document.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

#include <functional>

namespace skirmish::tasks {
namespace {

std::string written(const std::function<void(outgoing&)>& change = [](outgoing&) {}) {
  outgoing o;
  o.task = "t";
  o.id = "an-id";
  o.queue = "q";
  o.args = {1, 2};
  change(o);
  std::string text;
  append_task_envelope(text, o);
  return text;
}

bool depends(const std::string& envelope) {
  message m(envelope);
  EXPECT_TRUE(parse_envelope(m));
  return has_dependants(m);
}

TEST(message, headers_of_protocol_2) {
  message m(
      R"({"body": "W1tdLCB7fSwgbnVsbF0=", "content-type": "application/json", "headers": {"task": "t", "id": "i",
          "root_id": "r", "parent_id": "p", "group": "g", "group_index": 3, "retries": 2, "shadow": "s",
          "eta": "2030-01-02T03:04:05Z", "expires": "2030-01-03", "timelimit": [60, 30.5], "ignore_result": true,
          "stamps": {}, "redelivered": true, "x-skirmish-restored": 1, "x-skirmish-dead-letter-after": 5},
          "properties": {"priority": "12", "body_encoding": "base64", "delivery_tag": "tag",
          "delivery_info": {"exchange": "", "routing_key": "q", "redelivered": true}}})");
  ASSERT_TRUE(parse_envelope(m));
  EXPECT_EQ(m.root(), "r");
  EXPECT_EQ(m.parent_id, "p");
  EXPECT_EQ(m.group, "g");
  EXPECT_EQ(m.group_index, 3);
  EXPECT_EQ(m.retries, 2);
  EXPECT_EQ(m.display_name(), "s");
  EXPECT_EQ(m.eta, parse_iso("2030-01-02T03:04:05+00:00"));
  EXPECT_EQ(m.expires, parse_iso("2030-01-03T00:00:00Z"));
  EXPECT_EQ(m.hard_limit_s, 60);
  EXPECT_EQ(m.soft_limit_s, 30.5);
  EXPECT_TRUE(m.ignore_result);
  EXPECT_TRUE(m.redelivered);
  EXPECT_EQ(m.restored, 1);
  EXPECT_EQ(m.dead_letter_after, 5);
  EXPECT_FALSE(m.is_protocol_1);
  const auto body = parse_body(m);
  ASSERT_TRUE(body);
  EXPECT_TRUE(body->args.empty() && body->kwargs.empty() && body->chord.is_null());
}

TEST(message, protocol_1_has_everything_in_its_body) {
  const boost::json::object body{{"task", "t"},         {"id", "i"},
                                 {"args", {4, 5}},      {"kwargs", {{"k", 1}}},
                                 {"retries", 1},        {"eta", "2030-01-02T03:04:05"},
                                 {"expires", nullptr},  {"timelimit", {nullptr, 7}},
                                 {"taskset", "g"},      {"chord", {{"task", "body"}}},
                                 {"errbacks", nullptr}, {"callbacks", nullptr}};
  const boost::json::object envelope{
      {"body", boost::json::serialize(body)},
      {"content-type", "application/json"},
      {"headers", boost::json::object()},
      {"properties",
       {{"delivery_tag", "t"}, {"delivery_info", {{"exchange", ""}, {"routing_key", "q"}}}}}};
  message m(boost::json::serialize(envelope));
  ASSERT_TRUE(parse_envelope(m));
  EXPECT_TRUE(m.is_protocol_1);
  EXPECT_EQ(m.task, "t");
  EXPECT_EQ(m.id, "i");
  EXPECT_EQ(m.retries, 1);
  EXPECT_EQ(m.group, "g");
  EXPECT_EQ(m.eta, parse_iso("2030-01-02T03:04:05Z"));
  EXPECT_EQ(m.soft_limit_s, 7);
  EXPECT_FALSE(m.hard_limit_s);
  const auto read = parse_body(m);
  ASSERT_TRUE(read);
  EXPECT_EQ(boost::json::serialize(read->args), "[4,5]");
  EXPECT_EQ(boost::json::serialize(read->kwargs), R"({"k":1})");
  EXPECT_EQ(read->chord.at("task"), "body");
  EXPECT_TRUE(has_dependants(m));
}

TEST(message, tells_whether_others_wait_for_its_end) {
  EXPECT_FALSE(depends(written()));
  EXPECT_FALSE(depends(written([](outgoing& o) { o.args = {std::string(5000, 'x')}; })));
  // A callback follows success alone.
  const json_object sig{{"task", "next"}};
  EXPECT_FALSE(depends(written([&](outgoing& o) { o.callbacks = json_array{sig}; })));
  EXPECT_TRUE(depends(written([&](outgoing& o) { o.errbacks = json_array{sig}; })));
  EXPECT_TRUE(depends(written([&](outgoing& o) { o.chain = json_array{sig}; })));
  EXPECT_TRUE(depends(written([&](outgoing& o) { o.chord = sig; })));
  EXPECT_TRUE(depends(written([](outgoing& o) { o.group = "g"; })));
}

TEST(result, tells_what_is_final) {
  for (const char* state : {"SUCCESS", "FAILURE", "REVOKED"})
    EXPECT_TRUE(is_final_document(std::string(R"({"status": ")") + state + R"("})")) << state;
  for (const char* text : {"", "{", "[]", "{}", R"({"status": "STARTED"})",
                           R"({"status": "RETRY", "result": "SUCCESS"})", R"({"status": 1})"})
    EXPECT_FALSE(is_final_document(text)) << text;
}

}  // namespace
}  // namespace skirmish::tasks
