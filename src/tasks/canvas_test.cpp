// From signatures to the messages that start them.
#include "tasks/canvas.hpp"

#include "skirmish/tasks/signature.hpp"

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
  EXPECT_EQ(made.chords[0].second, 2U);
  EXPECT_EQ(made.messages[0].group, made.chords[0].first);
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

}  // namespace
}  // namespace skirmish::tasks
