// The wire: bytes that real Celery clients wrote, and what this library makes of them.
#include "core/base64.hpp"
#include "core/ids.hpp"
#include "skirmish/tasks/call.hpp"
#include "tasks/protocol/control_message.hpp"
#include "tasks/protocol/envelope.hpp"
#include "tasks/protocol/event.hpp"
#include "tasks/protocol/message.hpp"
#include "tasks/protocol/python_repr.hpp"
#include "tasks/protocol/result_document.hpp"
#include "tasks/protocol/wall_time.hpp"
#include "tasks/tasks_keys.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

namespace skirmish::tasks {
namespace {

using boost::json::parse;
using boost::json::serialize;

// Written by Celery 5.2.6 for `add.delay(2, 3)`.
const std::string real_message =
    R"({"body": "W1syLCAzXSwge30sIHsiY2FsbGJhY2tzIjogbnVsbCwgImVycmJhY2tzIjogbnVsbCwgImNoYWluIjogbnVsbCwgImNob3JkIjogbnVsbH1d", )"
    R"("content-encoding": "utf-8", "content-type": "application/json", "headers": {"lang": "py", "task": "proj.add", )"
    R"("id": "9b554be2-0000-4000-8000-000000000000", "shadow": null, "eta": null, "expires": null, "group": null, )"
    R"("group_index": null, "retries": 0, "timelimit": [30.5, null], "root_id": "9b554be2-0000-4000-8000-000000000000", )"
    R"=("parent_id": null, "argsrepr": "(2, 3)", "kwargsrepr": "{}", "origin": "gen24571@vm", "ignore_result": false}, )="
    R"("properties": {"correlation_id": "9b554be2-0000-4000-8000-000000000000", "reply_to": "r", "delivery_mode": 2, )"
    R"("delivery_info": {"exchange": "", "routing_key": "celery"}, "priority": 4, "body_encoding": "base64", "delivery_tag": "t"}})";

TEST(message, reads_what_celery_writes) {
  message m(real_message);
  ASSERT_TRUE(parse_envelope(m));
  EXPECT_EQ(m.task, "proj.add");
  EXPECT_EQ(m.id, "9b554be2-0000-4000-8000-000000000000");
  EXPECT_EQ(m.routing_key, "celery");
  EXPECT_EQ(m.priority, 4);
  EXPECT_EQ(m.args_repr, "\"(2, 3)\"");
  EXPECT_EQ(m.hard_limit_s, 30.5);
  EXPECT_FALSE(m.soft_limit_s);
  EXPECT_FALSE(m.eta);
  const auto body = parse_body(m);
  ASSERT_TRUE(body);
  EXPECT_EQ(serialize(body->args), "[2,3]");
  EXPECT_TRUE(body->kwargs.empty());
  EXPECT_TRUE(body->chord.is_null());
}

TEST(message, reads_its_own_envelopes) {
  outgoing o;
  o.task = "t\"\\é";
  o.id = random_uuid();
  o.queue = "mail";
  o.priority = 7;
  o.eta = parse_iso("2030-01-02T03:04:05.678901+02:00");
  o.args = {1, "x", nullptr};
  o.kwargs = {{"k", json_array{1.5}}};
  o.headers = {{"tenant", "blue"}};
  o.chord = json_object{{"task", "body"}};
  std::string text;
  append_task_envelope(text, o);
  message m(text);
  ASSERT_TRUE(parse_envelope(m));
  EXPECT_EQ(m.task, o.task);
  EXPECT_EQ(m.eta, o.eta);
  EXPECT_EQ(m.root(), o.id);
  EXPECT_EQ(parse(m.headers).at("tenant"), "blue");
  const auto body = parse_body(m);
  ASSERT_TRUE(body);
  EXPECT_EQ(body->args, o.args);
  EXPECT_EQ(body->kwargs, o.kwargs);
  EXPECT_EQ(body->chord, o.chord);
}

TEST(message, refuses_what_is_no_task) {
  for (
      const char* bad :
      {"", "x", "[]", "{}", R"({"body": 1})", R"({"body": "", "headers": {"task": "t"}})",
       R"({"body": "W10=", "content-type": "application/x-python-serialize", "headers": {"task": "t", "id": "i"}})",
       R"({"body": "", "headers": {"task": "t", "id": "i", "eta": "tomorrow"}})"}) {
    message m(bad);
    EXPECT_FALSE(parse_envelope(m)) << bad;
  }
  for (const char* body : {"W10=", "e30=", "!!!!", "W1tdLFtdXQ=="}) {
    message m(
        std::string(
            R"({"headers": {"task": "t", "id": "i"}, "properties": {"body_encoding": "base64"}, "body": ")") +
        body + "\"}");
    ASSERT_TRUE(parse_envelope(m));
    EXPECT_FALSE(parse_body(m)) << body;
  }
}

TEST(message, an_edit_changes_what_it_names_and_nothing_else) {
  const auto edited =
      edit_envelope(real_message, {.retries = 2, .mark_redelivered = true, .restored = 1});
  ASSERT_TRUE(edited);
  message m(*edited);
  ASSERT_TRUE(parse_envelope(m));
  EXPECT_EQ(m.retries, 2);
  EXPECT_EQ(m.restored, 1);
  EXPECT_TRUE(m.redelivered);
  EXPECT_EQ(m.delivery_tag, "t");
  EXPECT_EQ(parse(*edited).at("body"), parse(real_message).at("body"));
}

TEST(text, times_as_python_writes_them) {
  const auto t = parse_iso("2026-11-21T04:06:11.028886+00:00");
  ASSERT_TRUE(t);
  EXPECT_EQ(to_iso(*t), "2026-11-21T04:06:11.028886+00:00");
  EXPECT_EQ(parse_iso("2026-11-21T05:06:11.028886+01:00"), t);
  EXPECT_EQ(parse_iso("2026-11-21T04:06:11.028886Z"), t);
  EXPECT_EQ(parse_iso("2026-11-21 04:06:11.028886"), t);
  for (const char* bad :
       {"", "2026", "2026-13-01T00:00:00", "2026-11-21T25:00:00", "2026-11-21T04:06:11.", "x"})
    EXPECT_FALSE(parse_iso(bad)) << bad;
}

TEST(text, repr_is_pythons) {
  EXPECT_EQ(python_repr(parse(R"({"a": [1, 1.0, null, true, "it's", "\n"]})")),
            "{'a': [1, 1.0, None, True, \"it's\", '\\n']}");
  EXPECT_EQ(python_repr_tuple({1}), "(1,)");
  EXPECT_EQ(python_repr_tuple({}), "()");
  EXPECT_EQ(python_repr(json(std::string(5000, 'x'))).size(), 1024U);
}

TEST(keys, priorities_fall_into_celerys_steps) {
  const std::pair<int, int> cases[] = {{-1, 0}, {0, 0}, {2, 0}, {3, 3},  {5, 3},
                                       {6, 6},  {8, 6}, {9, 9}, {255, 9}};
  for (const auto& [priority, step] : cases) EXPECT_EQ(priority_step(priority), step) << priority;
  key_names keys{"p", "r_", 3};
  EXPECT_EQ(keys.queue("q", 0), "pq");
  EXPECT_EQ(keys.queue("q", 6),
            "pq\x06\x16"
            "6");
  EXPECT_EQ(keys.pidbox(), "p/3.celery.pidbox");
  EXPECT_EQ(keys.result("i"), "r_celery-task-meta-i");
}

TEST(result, documents_of_every_state) {
  for (const char* state : {"SUCCESS", "FAILURE", "REVOKED", "RETRY", "STARTED", "PROGRESS"}) {
    std::string out;
    append_result_document(out, {.id = "i",
                                 .status = state,
                                 .result_json = "1",
                                 .group = "g",
                                 .parent_id = "p",
                                 .done = std::string_view(state) == "SUCCESS"});
    const auto v = parse(out);
    EXPECT_EQ(v.at("status"), state);
    EXPECT_EQ(v.at("task_id"), "i");
    EXPECT_EQ(v.at("group_id"), "g");
    EXPECT_EQ(v.at("parent_id"), "p");
    EXPECT_EQ(v.at("date_done").is_null(), std::string_view(state) != "SUCCESS");
    EXPECT_TRUE(v.at("children").as_array().empty());
  }
  const auto why = describe_exception(std::make_exception_ptr(std::invalid_argument("x")), "t");
  EXPECT_EQ(serialize(why.to_json()),
            R"({"exc_type":"ValueError","exc_message":["x"],"exc_module":"builtins"})");
  EXPECT_EQ(why.repr(), "ValueError('x')");
}

TEST(events, a_client_tells_what_it_sent) {
  event_writer events("gen1@h");
  outgoing m;
  m.task = "t";
  m.id = "i";
  m.queue = "mail";
  m.args = {1, "x"};
  m.eta = wall_time{std::chrono::seconds{0}};
  events.sent(m);
  EXPECT_TRUE(events.empty());
  events.set_enabled(true);
  events.sent(m);
  const auto envelopes = events.take_envelopes();
  ASSERT_EQ(envelopes.size(), 1U);
  std::string body;
  ASSERT_TRUE(decode_base64(parse(envelopes[0]).at("body").as_string(), body));
  const auto told = parse(body).at(0).as_object();
  EXPECT_EQ(told.at("type"), "task-sent");
  EXPECT_EQ(told.at("hostname"), "gen1@h");
  EXPECT_EQ(told.at("uuid"), "i");
  EXPECT_EQ(told.at("args"), "(1, 'x')");
  EXPECT_EQ(told.at("root_id"), "i");
  EXPECT_EQ(told.at("queue"), "mail");
  EXPECT_EQ(told.at("eta"), "1970-01-01T00:00:00.000000+00:00");
  EXPECT_TRUE(told.at("parent_id").is_null() && told.at("expires").is_null());
}

TEST(events, are_gathered_into_one_array) {
  event_writer events("n@h");
  message m(real_message);
  ASSERT_TRUE(parse_envelope(m));
  events.received(m);
  EXPECT_TRUE(events.take_envelopes().empty()) << "disabled";
  events.set_enabled(true);
  events.received(m);
  events.started(m);
  events.succeeded(m, "5", 0.25);
  events.failed("i", "E('x')", "tb");
  events.revoked("i", true, 15, false);
  const auto envelopes = events.take_envelopes();
  ASSERT_EQ(envelopes.size(), 1U);
  const auto body = plain_body(envelopes[0]);
  ASSERT_TRUE(body);
  const auto& all = body->as_array();
  ASSERT_EQ(all.size(), 5U);
  EXPECT_EQ(all[0].at("type"), "task-received");
  EXPECT_EQ(all[0].at("args"), "(2, 3)");
  EXPECT_EQ(all[0].at("hostname"), "n@h");
  EXPECT_EQ(all[2].at("runtime"), 0.25);
  EXPECT_EQ(all[4].at("signum"), 15);
  EXPECT_LT(all[0].at("clock").as_int64(), all[4].at("clock").as_int64());
}

// ---- calling C++ functions ----

struct no_context final : task_context {
  [[nodiscard]] std::string_view id() const override { return "i"; }
  [[nodiscard]] std::string_view name() const override { return "n"; }
  [[nodiscard]] std::string_view root_id() const override { return "i"; }
  [[nodiscard]] std::string_view parent_id() const override { return {}; }
  [[nodiscard]] std::string_view group() const override { return {}; }
  [[nodiscard]] std::string_view queue() const override { return {}; }
  [[nodiscard]] std::string_view hostname() const override { return {}; }
  [[nodiscard]] int retries() const override { return 0; }
  [[nodiscard]] std::optional<time_point> eta() const override { return {}; }
  [[nodiscard]] std::optional<time_point> expires() const override { return {}; }
  [[nodiscard]] json_object headers() const override { return {}; }
  void update_state(json, std::string_view) override {}
  [[nodiscard]] bool is_aborted() const override { return false; }
  void check() const override {}
};

json call(const task_definition& t, json_array args, json_object kwargs = {}) {
  no_context self;
  arguments given{std::move(args), std::move(kwargs)};
  return t.run(self, given);
}

TEST(call, converts_arguments_by_position_and_name) {
  const auto add = detail::define("add", [](int a, std::int64_t b) { return a + b; },
                                  {.parameters = {"a", parameter{"b", json(10)}}});
  EXPECT_EQ(call(add, {1, 2}), 3);
  EXPECT_EQ(call(add, {1}), 11);
  EXPECT_EQ(call(add, {1}, {{"b", 5}}), 6);
  EXPECT_EQ(call(add, {}, {{"b", 5}, {"a", 1}}), 6);
  for (const char* bad : {"[1,2,3]", "[]", R"(["x"])", "[1.5]", "[null]"})
    EXPECT_THROW(call(add, parse(bad).as_array()), task_error) << bad;
  EXPECT_THROW(call(add, {1}, {{"a", 1}}), task_error);
  EXPECT_THROW(call(add, {1}, {{"c", 1}}), task_error);
  EXPECT_THROW(call(add, {1, 2}, {{"c", 1}}), task_error);
  const auto bound = detail::define("id",
                                    [](task_context& self, std::vector<std::string> all) {
                                      return std::string(self.id()) + all.at(0);
                                    },
                                    {});
  EXPECT_EQ(call(bound, {json_array{"x"}}), "ix");
  EXPECT_EQ(call(detail::define("none", [] {}, {}), {}), nullptr);
}

TEST(control, requests_and_whom_they_are_for) {
  const auto text = control_request("ping", {{"x", 1}}, {{"a@h"}, "oid", "ticket"});
  const auto r = parse_control_request(text);
  ASSERT_TRUE(r);
  EXPECT_EQ(r->method, "ping");
  EXPECT_EQ(r->reply_key, "oid");
  EXPECT_TRUE(r->is_for("a@h"));
  EXPECT_FALSE(r->is_for("b@h"));
  received_request glob;
  glob.pattern = "a*";
  glob.matcher = "glob";
  EXPECT_TRUE(glob.is_for("a@h"));
  EXPECT_FALSE(glob.is_for("b@h"));
  for (const char* bad :
       {"", "x", "{}", R"({"body": "e30=", "properties": {"body_encoding": "base64"}})"})
    EXPECT_FALSE(parse_control_request(bad)) << bad;
}

}  // namespace
}  // namespace skirmish::tasks
