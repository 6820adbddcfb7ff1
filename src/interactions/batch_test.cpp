#include "interactions/batch.hpp"

#include "interactions/events.hpp"

#include <boost/json/parse.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skirmish::interactions {
namespace {

namespace json = boost::json;

const http::principal a_server{http::role::server, "k"};
const timestamp now{std::chrono::milliseconds{1'795'230'371'028}};

event read(std::string_view text) { return decode_event(json::parse(text), a_server, now).value(); }

// Frames with a record of their answers.
class batch_fixture : public ::testing::Test {
 protected:
  frame make(std::vector<std::string> events, std::optional<stream_position> at = {}) {
    frame f;
    for (std::size_t i = 0; i < events.size(); ++i) {
      f.events.push_back(read(events[i]));
      f.indices.push_back(i);
    }
    f.position = std::move(at);
    const auto place = answers_.size();
    answers_.emplace_back();
    f.done = [this, place](outcome o) { answers_[place] = std::move(o); };
    return f;
  }

  // A vector, because the elements of a list are made in order, and the arguments of a call are
  // not.
  struct sent {
    std::vector<std::string> events;
    std::optional<stream_position> at = {};
  };
  batch gather(const std::vector<sent>& what) {
    std::vector<frame> all;
    for (const auto& s : what) all.push_back(make(s.events, s.at));
    return batch(std::move(all));
  }

  std::vector<std::optional<outcome>> answers_;
};

const std::string hit = R"({"type":"attack","attacker_id":"a","target_id":"b","damage":5})";

TEST_F(batch_fixture, a_repeated_id_is_applied_once_and_counts_as_accepted) {
  const std::string once =
      R"({"type":"attack","id":"x","attacker_id":"a","target_id":"b","damage":5})";
  auto b = gather({{{once, once}}, {{once}}});
  EXPECT_EQ(b.event_count(), 1U);
  ASSERT_TRUE(answers_[1]) << "a frame with nothing left to do is answered at once";
  EXPECT_EQ(answers_[1]->accepted, 1U);
  b.succeed();
  EXPECT_EQ(answers_[0]->accepted, 2U);
}

TEST_F(batch_fixture, another_event_under_the_same_id_is_refused) {
  const std::string one =
      R"({"type":"attack","id":"x","attacker_id":"a","target_id":"b","damage":5})";
  const std::string other =
      R"({"type":"attack","id":"x","attacker_id":"a","target_id":"b","damage":6})";
  auto b = gather({{{one, other}}, {{one}}});
  EXPECT_EQ(b.event_count(), 1U);
  amendment others;
  others.claimed_ids = {"k:k@x"};
  b.amend(others);
  ASSERT_TRUE(answers_[0]);
  EXPECT_EQ(answers_[0]->rejected.size(), 2U);
  EXPECT_EQ(answers_[0]->rejected.at(0).why.code, errc::conflict);
}

TEST_F(batch_fixture, each_sender_has_ids_of_its_own) {
  const auto text = R"({"type":"attack","id":"x","attacker_id":"a","target_id":"b","damage":5})";
  const http::principal other{http::role::server, "k2"};
  auto first = make({text});
  auto second = make({});
  second.events.push_back(decode_event(json::parse(text), other, now).value());
  second.indices.push_back(0);
  std::vector<frame> both;
  both.push_back(std::move(first));
  both.push_back(std::move(second));
  const batch b(std::move(both));
  EXPECT_EQ(b.event_count(), 2U);
}

TEST_F(batch_fixture, frames_of_a_stream_follow_one_another) {
  auto b = gather({{{hit}, stream_position{"s", 4}},
                   {{hit}, stream_position{"s", 4}},
                   {{hit}, stream_position{"s", 6}},
                   {{hit}, stream_position{"s", 5}}});
  EXPECT_EQ(b.event_count(), 2U);
  ASSERT_TRUE(answers_[2] && answers_[2]->failed);
  EXPECT_EQ(answers_[2]->failed->code, errc::conflict);
  b.succeed();
  EXPECT_TRUE(answers_[1]->duplicate);
  EXPECT_EQ(answers_[3]->accepted, 1U);
}

TEST_F(batch_fixture, numbers_of_a_stream_may_be_offsets) {
  const auto at = [](std::uint64_t after, std::uint64_t seq) {
    stream_position p{"s", seq};
    p.after = after;
    return p;
  };
  auto b = gather({{{hit}, at(100, 250)}, {{hit}, at(250, 300)}, {{hit}, at(260, 400)}});
  ASSERT_TRUE(answers_[2] && answers_[2]->failed);
  EXPECT_EQ(answers_[2]->failed->code, errc::conflict) << "it does not go on at 300";
  b.amend({{{"s", 250}}, {}, {}, {}});
  ASSERT_TRUE(answers_[0]);
  EXPECT_TRUE(answers_[0]->duplicate);
  EXPECT_EQ(b.event_count(), 1U);
  b.amend({{{"s", 290}}, {}, {}, {}});
  ASSERT_TRUE(answers_[1] && answers_[1]->failed);
  EXPECT_EQ(answers_[1]->failed->code, errc::conflict) << "a part of it is committed";
}

TEST_F(batch_fixture, an_amendment_answers_what_was_there_and_refuses_gaps) {
  auto b = gather({{{hit}, stream_position{"s", 4}},
                   {{hit}, stream_position{"s", 5}},
                   {{hit}, stream_position{"t", 9}},
                   {{hit}}});
  b.amend({{{"s", 4}, {"t", 7}}, {}, {}, {}});
  ASSERT_TRUE(answers_[0] && answers_[2]);
  EXPECT_TRUE(answers_[0]->duplicate);
  EXPECT_EQ(answers_[2]->failed->message, "frame 8 is due");
  EXPECT_EQ(b.event_count(), 2U);
  b.succeed();
  EXPECT_EQ(answers_[1]->accepted, 1U);
  EXPECT_EQ(answers_[3]->accepted, 1U);
}

TEST_F(batch_fixture, frames_of_a_writer_that_was_taken_over_are_refused) {
  auto b = gather({{{hit}, stream_position{"s", 4, 1, "key:k"}},
                   {{hit}, stream_position{"s", 4, 2, "key:k"}},
                   {{hit}, stream_position{"s", 5, 1, "key:k"}},
                   {{hit}, stream_position{"s", 5, 2, "key:k"}},
                   {{hit}, stream_position{"t", 1, 3, "key:k"}}});
  ASSERT_TRUE(answers_[0] && answers_[2]);
  EXPECT_TRUE(answers_[0]->taken_over && answers_[2]->taken_over);
  EXPECT_EQ(b.event_count(), 3U);
  amendment taken;
  taken.taken_streams = {"t"};
  b.amend(taken);
  ASSERT_TRUE(answers_[4]);
  EXPECT_TRUE(answers_[4]->taken_over);
  b.succeed();
  EXPECT_EQ(answers_[1]->accepted, 1U);
  EXPECT_EQ(answers_[3]->accepted, 1U);
}

TEST_F(batch_fixture, scores_that_were_refused_are_taken_back_by_their_entry) {
  const auto scored = [](const char* player, std::int64_t value) {
    return R"({"type":"score","board":"x","player_id":")" + std::string(player) + R"(","value":)" +
           std::to_string(value) + "}";
  };
  // Small ones of a player join; one near the limit stays apart.
  auto b = gather({{{scored("a", 1), scored("a", score_max), scored("b", 1), scored("b", 2)}}});
  b.request({}, now);
  b.take_back({}, {2});
  b.succeed();
  EXPECT_EQ(answers_[0]->accepted, 3U);
  EXPECT_EQ(answers_[0]->rejected.at(0).index, 1U);
}

TEST_F(batch_fixture, unknown_players_are_rejected_by_index_and_the_rest_stays) {
  const std::string stranger = R"({"type":"move","player_id":"z","lat":1,"lon":2})";
  auto b = gather({{{hit, stranger, hit}}, {{stranger}}});
  b.amend({{}, {"z"}, {}, {}});
  ASSERT_TRUE(answers_[1]);
  EXPECT_EQ(answers_[1]->rejected.at(0).why.code, errc::not_found);
  b.succeed();
  EXPECT_EQ(answers_[0]->accepted, 2U);
  EXPECT_EQ(answers_[0]->rejected.at(0).index, 1U);
}

TEST_F(batch_fixture, a_failure_reaches_every_frame) {
  auto b = gather({{{hit}}, {{hit}, stream_position{"s", 1}}});
  b.fail({errc::unavailable, "down"});
  EXPECT_EQ(answers_[0]->failed->code, errc::unavailable);
  EXPECT_EQ(answers_[1]->failed->code, errc::unavailable);
  EXPECT_TRUE(b.empty());
}

TEST_F(batch_fixture, the_same_batch_gives_the_same_arguments) {
  auto b = gather({{{hit, R"({"type":"respawn","player_id":"b","hp":100})", hit}}});
  const auto first = b.request({}, now);
  EXPECT_EQ(first.arguments, b.request({}, now).arguments);
}

TEST_F(batch_fixture, a_commit_renews_every_profile_and_under_load_those_it_is_told) {
  commit_settings s;
  std::vector<std::string> asked;
  s.refreshes_profile = [&](const std::string& id) {
    asked.push_back(id);
    return false;
  };
  gather({{{hit, hit, hit}}}).request(s, now);
  EXPECT_TRUE(asked.empty());
  s.leaves_pending = true;
  gather({{{hit, hit, hit}}}).request(s, now);
  EXPECT_EQ(asked, std::vector<std::string>{"a"});
}

struct bad_event {
  const char* text;
  const char* complaint;
};

TEST(decode_event, names_what_is_wrong) {
  const bad_event cases[] = {
      {"7", "object"},
      {R"({"type":"dance"})", "type"},
      {R"({"type":"attack","target_id":"b","damage":1})", "attacker_id is required"},
      {R"({"type":"attack","attacker_id":"a","target_id":"b","damage":-1})", "damage"},
      {R"({"type":"attack","attacker_id":"a b","target_id":"b","damage":1})", "attacker_id"},
      {R"({"type":"move","player_id":"a","lat":90.1,"lon":0})", "lat"},
      {R"({"type":"move","player_id":"a","lat":1e999,"lon":0})", "lat"},
      {R"({"type":"move","player_id":"a","lat":0,"lon":0,"ttl_s":9})", "ttl_s"},
      {R"({"type":"score","board":"active","player_id":"a","value":1})", "active"},
      {R"({"type":"respawn","player_id":"a","hp":1,"mp":2})", "mp is not known"},
      {R"({"type":"item","player_id":"a","item":"sword","quantity":0})", "quantity"},
  };
  for (const auto& c : cases) {
    const auto e = decode_event(json::parse(c.text), a_server, now);
    ASSERT_TRUE(e.has_error()) << c.text;
    EXPECT_EQ(e.error().code, errc::invalid_argument);
    EXPECT_THAT(e.error().message, ::testing::HasSubstr(c.complaint));
  }
}

TEST(decode_event, a_player_acts_only_as_itself_and_now) {
  const http::principal player{http::role::player, "a"};
  const auto code = [&](const char* text) {
    const auto e = decode_event(json::parse(text), player, now);
    return e ? "fine" : std::string(to_string(e.error().code));
  };
  EXPECT_EQ(code(R"({"type":"attack","attacker_id":"a","target_id":"b","damage":1})"), "fine");
  EXPECT_EQ(code(R"({"type":"attack","attacker_id":"b","target_id":"a","damage":1})"), "forbidden");
  EXPECT_EQ(code(R"({"type":"respawn","player_id":"a","hp":100})"), "forbidden");
  EXPECT_EQ(code(R"({"type":"move","player_id":"a","lat":1,"lon":1,"ts":"2026-01-01T00:00:00Z"})"),
            "forbidden");
}

}  // namespace
}  // namespace skirmish::interactions
