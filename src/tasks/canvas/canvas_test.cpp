// From signatures to the messages that start them.
#include "tasks/canvas/canvas.hpp"

#include "skirmish/tasks/signature.hpp"
#include "tasks/canvas/signature_tree.hpp"
#include "tasks/protocol/message.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

namespace skirmish::tasks {
namespace {

using boost::json::parse;
using boost::json::serialize;

sending how() {
  sending s;
  s.route = [](std::string_view task) {
    return task.starts_with("py.") ? std::string("py") : std::string("cpp");
  };
  s.now = wall_now();
  s.parent_id = "parent";
  s.root_id = "root";
  return s;
}

signature s(const char* task, json_array args = {}) { return signature(task, std::move(args)); }

TEST(canvas, a_chain_carries_its_rest_in_reverse) {
  plan made;
  const auto work = chain({s("a", {1}), s("py.b", {2}), s("c")});
  ASSERT_TRUE(expand(json(work.document()), {}, how(), made));
  ASSERT_EQ(made.messages.size(), 1U);
  const auto& first = made.messages[0];
  EXPECT_EQ(first.task, "a");
  EXPECT_EQ(first.parent_id, "parent");
  const auto& rest = first.chain.as_array();
  ASSERT_EQ(rest.size(), 2U);
  EXPECT_EQ(rest[1].at("task"), "py.b");
  EXPECT_EQ(rest[0].at("options").at("task_id").as_string(), made.last_id);
  // The worker's side of it.
  plan next;
  json_array fed;
  fed.push_back(10);
  ASSERT_TRUE(expand_chain_step(rest, fed, how(), next));
  ASSERT_EQ(next.messages.size(), 1U);
  EXPECT_EQ(next.messages[0].task, "py.b");
  EXPECT_EQ(next.messages[0].queue, "py");
  EXPECT_EQ(serialize(next.messages[0].args), "[10,2]");
  EXPECT_EQ(next.last_id, made.last_id);
}

TEST(canvas, a_group_with_a_successor_becomes_a_chord) {
  plan made;
  const auto work = chain({group({s("a"), s("b")}), s("c"), s("d")});
  ASSERT_TRUE(expand(json(work.document()), {}, how(), made));
  ASSERT_EQ(made.messages.size(), 2U);
  ASSERT_EQ(made.chords.size(), 1U);
  EXPECT_EQ(made.chords[0].size, 2U);
  EXPECT_EQ(made.chords[0].nesting, "");
  EXPECT_EQ(made.messages[0].group, made.chords[0].group_id);
  EXPECT_EQ(made.messages[1].group_index, 1);
  EXPECT_EQ(made.messages[0].chord.at("subtask_type"), "chain");
  EXPECT_EQ(made.messages[0].chord.at("options").at("task_id").as_string(), made.last_id);
}

TEST(canvas, a_chain_in_a_chord_reports_from_its_last_step) {
  plan made;
  const auto work = chord({chain({s("a"), s("b")}), s("c")}, s("body"));
  ASSERT_TRUE(expand(json(work.document()), {}, how(), made));
  EXPECT_TRUE(made.messages[0].chord.is_null());
  EXPECT_EQ(made.messages[0].chain.as_array()[0].at("options").at("chord").at("task"), "body");
  EXPECT_EQ(made.messages[1].chord.at("task"), "body");
}

TEST(canvas, members_of_a_group_are_awaited_by_their_last_steps) {
  plan made;
  const auto work = group({s("a"), chain({s("b"), s("c").task_id("end")}),
                           chord({s("d")}, s("body").task_id("body")), group({s("e")})});
  ASSERT_TRUE(expand(json(work.document()), {}, how(), made));
  ASSERT_TRUE(made.member_ids);
  ASSERT_EQ(made.member_ids->size(), 4U);
  EXPECT_EQ(made.member_ids->at(0), made.messages[0].id);
  EXPECT_EQ(made.member_ids->at(1), "end");
  EXPECT_EQ(made.member_ids->at(2), "body");
  EXPECT_EQ(made.member_ids->at(3), made.messages.back().id);
  EXPECT_EQ(made.result_tuple.at(0).at(0), json(made.last_id));
  EXPECT_EQ(made.result_tuple.at(1).at(1), json(json_array{json_array{"end", nullptr}, nullptr}));
  plan single;
  ASSERT_TRUE(expand(json(chord({s("a")}, s("b")).document()), {}, how(), single));
  EXPECT_FALSE(single.member_ids);
}

// Celery gives a chord the id of its group, and waits for the id of its body.
TEST(canvas, an_id_of_the_last_step_stays) {
  for (const auto& body : {s("body").task_id("end"), chain({s("c"), s("d").task_id("end")})}) {
    plan made;
    auto work = chord({s("a"), s("b")}, body);
    work.task_id("the-group");
    ASSERT_TRUE(expand(json(work.document()), {}, how(), made));
    EXPECT_EQ(made.last_id, "end");
  }
  plan made;
  auto work = chord({s("a"), s("b")}, s("c"));
  work.task_id("free");
  ASSERT_TRUE(expand(json(work.document()), {}, how(), made));
  EXPECT_EQ(made.last_id, "free");
}

TEST(canvas, a_chain_may_end_in_a_group) {
  plan made;
  const auto work = chain({s("a"), group({s("b"), chain({s("c"), s("d")})})});
  ASSERT_TRUE(expand(json(work.document()), {}, how(), made));
  ASSERT_TRUE(made.member_ids);
  ASSERT_EQ(made.messages.size(), 1U);
  // Whoever runs the first step starts the group, with the ids that were given here.
  plan next;
  json_array fed;
  fed.push_back(1);
  ASSERT_TRUE(expand_chain_step(made.messages[0].chain.as_array(), fed, how(), next));
  EXPECT_EQ(next.last_id, made.last_id);
  EXPECT_EQ(next.member_ids, made.member_ids);
}

// Celery flattens a group in a chord's header, but not one in which a chain ends.
TEST(canvas, a_member_of_a_chord_may_end_in_a_group) {
  plan made;
  const auto inner = chain({s("d"), group({s("e"), s("f").task_id("f")})});
  const auto work =
      chord({s("a"), group({s("b"), chain({s("c"), group({s("x"), inner})})})}, s("body"));
  ASSERT_TRUE(expand(json(work.document()), {}, how(), made));
  ASSERT_EQ(made.chords.size(), 1U);
  const auto& chord = made.chords[0];
  EXPECT_EQ(chord.size, 5U);  // a, b, x, e, f
  ASSERT_EQ(made.messages.size(), 3U);
  const auto saved = parse(chord.nesting);
  std::map<std::string, json, std::less<>> results;
  const auto& tree = saved.at("result");
  EXPECT_EQ(tree.at(0).at(0), json(chord.group_id));
  const auto id_of = [](const json& end) { return std::string(end.at(0).at(0).as_string()); };
  const auto& third = tree.at(1).at(2);
  results[made.messages[0].id] = 1;
  results[id_of(tree.at(1).at(1))] = 2;
  results[id_of(third.at(1).at(0))] = 3;
  results[id_of(third.at(1).at(1).at(1).at(0))] = 4;
  results["f"] = 5;
  const auto nested = nest_results(saved, results);
  ASSERT_TRUE(nested);
  EXPECT_EQ(json(*nested), parse("[1, 2, [3, [4, 5]]]"));
  results.erase("f");
  EXPECT_FALSE(nest_results(saved, results));

  // Whoever ends `c` starts the group; its members report to the same chord, which has begun.
  plan next;
  ASSERT_TRUE(expand_chain_step(made.messages[2].chain.as_array(), {}, how(), next));
  EXPECT_TRUE(next.chords.empty());
  ASSERT_EQ(next.messages.size(), 2U);
  EXPECT_EQ(next.messages[0].group, chord.group_id);
  EXPECT_EQ(next.messages[0].chord.at("task"), "body");
  EXPECT_EQ(next.messages[0].id, id_of(third.at(1).at(0)));
  plan last;
  ASSERT_TRUE(expand_chain_step(next.messages[1].chain.as_array(), {}, how(), last));
  ASSERT_EQ(last.messages.size(), 2U);
  EXPECT_EQ(last.messages[1].id, "f");
  EXPECT_EQ(last.messages[1].group, chord.group_id);
  EXPECT_EQ(last.messages[1].chord.at("task"), "body");
}

TEST(canvas, a_step_that_will_not_run_tells_whom_that_concerns) {
  plan made;
  const auto work =
      chord({chain({s("a"), s("b").task_id("b"), group({s("c"), s("d")})}), s("e")}, s("body"));
  ASSERT_TRUE(expand(json(work.document()), {}, how(), made));
  const auto& rest = made.messages[0].chain.as_array();
  ASSERT_EQ(rest.size(), 2U);
  const auto end = abandon(rest[0]);
  EXPECT_EQ(end.ends.size(), 2U);
  EXPECT_EQ(end.group_id, made.chords[0].group_id);
  EXPECT_EQ(end.chord.at("task"), "body");
  const auto step = abandon(rest[1]);
  EXPECT_EQ(step.ids, std::vector<std::string>{"b"});
  EXPECT_TRUE(step.chord.is_null());
  plan chained;
  const auto before_a_chord = chain({s("a"), group({s("b"), s("c")}), s("d").task_id("d")});
  ASSERT_TRUE(expand(json(before_a_chord.document()), {}, how(), chained));
  EXPECT_EQ(abandon(chained.messages[0].chain.as_array()[0]).ids, std::vector<std::string>{"d"});
}

TEST(canvas, a_group_at_the_end_of_a_member_stands_for_its_members) {
  plan made;
  const auto work = group(
      {s("a"), chain({s("b"), group({s("c"), s("d")})}), chord({s("e")}, group({s("f"), s("g")}))});
  ASSERT_TRUE(expand(json(work.document()), {}, how(), made));
  ASSERT_TRUE(made.member_ids);
  EXPECT_EQ(made.member_ids->size(), 5U);
  EXPECT_EQ(made.result_tuple.at(1).at(1).at(1).as_array().size(), 2U);
  EXPECT_EQ(made.result_tuple.at(1).at(2).at(1).as_array().size(), 2U);
}

TEST(canvas, refuses_what_is_no_signature) {
  plan made;
  for (const char* bad : {"1", "null", "{}", R"({"task": 3})",
                          R"({"subtask_type": "chain", "kwargs": {"tasks": []}})",
                          R"({"subtask_type": "chord", "kwargs": {"header": [{"task": "a"}]}})",
                          R"({"subtask_type": "group", "kwargs": {"tasks": [1]}})"})
    EXPECT_FALSE(expand(parse(bad), {}, how(), made)) << bad;
  json nested = json_object{{"task", "a"}};
  for (int i = 0; i < 200; ++i)
    nested = json_object{{"subtask_type", "chord"},
                         {"kwargs", json_object{{"header", json_array{json_object{{"task", "a"}}}},
                                                {"body", nested}}}};
  EXPECT_FALSE(expand(nested, {}, how(), made));
}

json tagged_time(const char* text) {
  return json_object{{"__type__", "datetime"}, {"__value__", text}};
}

// As Celery 5.3 and later write them, wherever a signature stands.
TEST(canvas, tagged_options_are_read_everywhere) {
  const auto eta = parse_iso("2030-01-02T03:04:05Z"), expires = parse_iso("2030-01-02T04:00:00Z");
  const auto timed = [](const char* task) {
    return s(task)
        .option("eta", tagged_time("2030-01-02T04:04:05+01:00"))
        .option("expires", tagged_time("2030-01-02T04:00:00"))
        .option("priority", json_object{{"__type__", "decimal"}, {"__value__", "3"}});
  };
  const auto holds = [&](const outgoing& m) {
    return m.eta == eta && m.expires == expires && m.priority == 3;
  };
  plan members;
  const auto many = group({timed("a"), chain({timed("b"), s("c")})});
  ASSERT_TRUE(expand(json(many.document()), {}, how(), members));
  ASSERT_EQ(members.messages.size(), 2U);
  EXPECT_TRUE(holds(members.messages[0]) && holds(members.messages[1]));

  // What a worker reads in a message and sends later: chain, chord body, callbacks, errbacks.
  outgoing sent;
  sent.task = "first";
  sent.id = "id";
  sent.chain = json_array{json(timed("step").document())};
  sent.callbacks = json_array{json(timed("callback").document())};
  sent.errbacks = json_array{json(timed("errback").document())};
  sent.chord = chord({s("x")}, timed("body")).document();
  std::string envelope;
  append_task_envelope(envelope, sent);
  message m(envelope);
  ASSERT_TRUE(parse_envelope(m));
  auto body = parse_body(m);
  ASSERT_TRUE(body);
  plan after;
  ASSERT_TRUE(expand_chain_step(body->chain.as_array(), {}, how(), after));
  ASSERT_TRUE(expand_callbacks(body->callbacks.as_array(), {}, how(), after));
  ASSERT_TRUE(expand(body->errbacks.as_array()[0], {}, how(), after));
  ASSERT_TRUE(expand(body->chord.at("kwargs").at("body"), {}, how(), after));
  ASSERT_EQ(after.messages.size(), 4U);
  for (const auto& one : after.messages) EXPECT_TRUE(holds(one)) << one.task;
}

TEST(canvas, arguments_keep_their_tags) {
  const auto when = tagged_time("2030-01-02T04:04:05+01:00");
  plan made;
  ASSERT_TRUE(expand(json(s("a", {when}).document()), {}, how(), made));
  EXPECT_EQ(made.messages[0].args[0], when);
}

TEST(canvas, an_id_may_be_a_uuid_object) {
  const json id = json_object{{"__type__", "uuid"},
                              {"__value__", {{"hex", "9b554be28d2c4f3e9d0c5c1f1c2f7d11"}}}};
  plan made;
  ASSERT_TRUE(
      expand(json(chain({s("a"), s("b").option("task_id", id)}).document()), {}, how(), made));
  EXPECT_EQ(made.last_id, "9b554be2-8d2c-4f3e-9d0c-5c1f1c2f7d11");
}

TEST(canvas, what_is_no_time_is_refused) {
  for (const auto& bad :
       {json("soon"), json(true), tagged_time("soon"), json(json_object{{"a", 1}})}) {
    for (const char* option : {"eta", "expires"}) {
      plan made;
      EXPECT_FALSE(expand(json(s("a").option(option, bad).document()), {}, how(), made)) << bad;
    }
  }
}

}  // namespace
}  // namespace skirmish::tasks
