// The background roles of a worker, each without a worker: heartbeater, recoverer, janitor, eta
// store, revocations, rate limiter, unknown tasks, chord joiner.
#include "redis/subscriber.hpp"
#include "support/worker_parts_fixture.hpp"
#include "tasks/protocol/json_text.hpp"
#include "tasks/protocol/wall_time.hpp"
#include "tasks/worker/chord_joiner.hpp"
#include "tasks/worker/eta_store.hpp"
#include "tasks/worker/heartbeater.hpp"
#include "tasks/worker/janitor.hpp"
#include "tasks/worker/rate_limiter.hpp"
#include "tasks/worker/recoverer.hpp"
#include "tasks/worker/remote_control.hpp"
#include "tasks/worker/revocations.hpp"
#include "tasks/worker/unknown_tasks.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skirmish::tasks {
namespace {

using namespace std::chrono_literals;
using testing::call_of;
using ::testing::ElementsAre;
using testing::envelope_of;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class background_roles : public testing::worker_parts_fixture {
 protected:
  template <class Work>
  void await(Work work) {
    run([&]() -> awaitable<void> { co_await work(); });
  }
  std::vector<std::string> beat(heartbeater& of) {
    std::vector<std::string> dead;
    run([&]() -> awaitable<void> { dead = co_await of.beat(); });
    return dead;
  }
  double score(const std::string& tag) {
    return command("ZSCORE", "unacked_index", tag).as_double().value_or(-1);
  }
};

TEST_F(background_roles, one_heartbeater_at_a_time_learns_of_a_dead_worker) {
  heartbeater one(*context, held);
  command("ZADD", "skirmish:tasks:workers", "1000", "gone");
  EXPECT_THAT(beat(one), ElementsAre("gone"));
  EXPECT_THAT(beat(one), IsEmpty());
  EXPECT_EQ(integer("ZCARD", "skirmish:tasks:workers"), 2);
}

TEST_F(background_roles, a_heartbeat_renews_the_leases_of_what_is_still_held) {
  heartbeater beats(*context, held);
  const auto kept = testing::job_of(*context, call_of("late", "kept")),
             lost = testing::job_of(*context, call_of("late", "lost"));
  hold(kept->m.tag, kept->m.raw, 1000);
  held.make_ready(kept);
  held.make_ready(lost);
  beat(beats);
  EXPECT_GT(score(kept->m.tag), unix_now_s() - 60);
  EXPECT_EQ(score(lost->m.tag), -1);
}

TEST_F(background_roles, a_worker_is_registered_until_its_farewell) {
  heartbeater beats(*context, held);
  await([&] { return beats.announce(); });
  EXPECT_EQ(command("HGET", context->worker_key(), "queues").as_string(), "q");
  EXPECT_EQ(integer("SCARD", "_kombu.binding.q"), 1);
  EXPECT_EQ(integer("SCARD", "_kombu.binding.celery.pidbox"), 1);
  beat(beats);
  await([&] { return beats.say_farewell(); });
  EXPECT_EQ(integer("EXISTS", context->worker_key()), 0);
  EXPECT_EQ(integer("ZCARD", "skirmish:tasks:workers"), 0);
  EXPECT_EQ(integer("SCARD", "_kombu.binding.celery.pidbox"), 0);
}

// What `heartbeat` sends says its own interval, whatever that of the worker is.
TEST_F(background_roles, a_heartbeat_event_says_its_interval) {
  context->config.heartbeat_interval = 10s;
  heartbeater beats(*context, held);
  executor runs(*context, held);
  revocations revoked(*context);
  remote_control control(*context, held, {runs, revoked, beats, [] {}, [] {}});
  redis::subscriber subscriber(io, testing::shared_redis().config(), "test-events");
  task_group connections(io);
  connections.spawn("events", [&] { return subscriber.run(); });
  std::vector<double> intervals;
  redis::listener on;
  on.on_message = [&](std::string_view, std::string_view envelope) {
    intervals.push_back(plain_body(envelope).value().at("freq").to_number<double>());
  };
  auto subscription = subscriber.subscribe_pattern(
      context->keys().event_channel("worker.heartbeat"), std::move(on));
  run([&]() -> awaitable<void> {
    co_await subscription.confirmed(60s);
    beats.send_event(10.0);
    co_await testing::eventually([&] { return intervals.size() == 1; });
    received_request ask;
    ask.method = "heartbeat";
    co_await control.answer(ask);
    co_await testing::eventually([&] { return intervals.size() == 2; });
    subscriber.stop();
    co_await connections.wait(60s);
  });
  EXPECT_THAT(intervals, ElementsAre(10.0, 5.0));
}

TEST_F(background_roles, messages_of_a_dead_worker_go_back_in_their_order) {
  recoverer recovers(*context, held);
  for (int i = 1; i <= 12; ++i)
    hold(fmt::format("skirmish:gone:{}", i), envelope_of(call_of("add", std::to_string(i))), 1000);
  command("HSET", "skirmish:tasks:running:gone", "skirmish:gone:2", "");
  hold("skirmish:other:1", envelope_of(call_of("add", "other's")), 1000);
  command("HSET", "skirmish:tasks:worker:gone", "node", "gone@test");
  command("ZADD", "skirmish:tasks:workers", "1000", "gone");
  bool recovered = false;
  tasks.spawn("recover", [&]() -> awaitable<void> {
    co_await recovers.recover("gone");
    recovered = true;
  });
  worker_cycle next;
  run([&]() -> awaitable<void> {
    co_await testing::eventually([&] {
      context->pending.move_to(next);
      return !next.deletes.empty();
    });
  });
  EXPECT_THAT(next.deletes, ElementsAre("skirmish:tasks:running:gone"));
  // It stays in the list of workers until the next cycle has deleted that key.
  EXPECT_FALSE(recovered);
  EXPECT_EQ(integer("EXISTS", "skirmish:tasks:worker:gone"), 1);
  command("DEL", "skirmish:tasks:running:gone");
  run([&]() -> awaitable<void> { co_await testing::eventually([&] { return recovered; }); });
  EXPECT_EQ(integer("EXISTS", "skirmish:tasks:worker:gone"), 0);
  EXPECT_EQ(integer("HLEN", "unacked"), 1);
  ASSERT_EQ(integer("LLEN", "q"), 12);
  for (int i = 1; i <= 12; ++i) {
    message m(command("RPOP", "q").as_string());
    ASSERT_TRUE(parse_envelope(m));
    EXPECT_EQ(m.id, std::to_string(i));
    EXPECT_TRUE(m.redelivered);
    EXPECT_EQ(m.restored, i == 2 ? 1 : 0);
  }
}

TEST_F(background_roles, a_task_that_died_with_its_worker_fails_unless_it_had_ended) {
  recoverer recovers(*context, held);
  const auto record = [](const std::string& id) {
    std::string out;
    append_json(out, json_object{{"id", id}, {"message", envelope_of(call_of("add", id))}});
    return out;
  };
  command("HSET", "skirmish:tasks:running:gone", "t1", record("lost"), "t2", record("ended"));
  command("SET", "celery-task-meta-ended", R"({"status": "SUCCESS", "result": 3})");
  bool recovered = false;
  tasks.spawn("recover", [&]() -> awaitable<void> {
    co_await recovers.recover("gone");
    recovered = true;
  });
  run([&]() -> awaitable<void> {
    co_await testing::eventually([&] { return held.count(job_stage::ended) > 0; });
  });
  command("DEL", "skirmish:tasks:running:gone");
  const auto j = held.take_ended();
  EXPECT_EQ(j->m.id, "lost");
  EXPECT_EQ(j->problem.type, "WorkerLostError");
  EXPECT_EQ(held.take_ended(), nullptr);
  run([&]() -> awaitable<void> { co_await testing::eventually([&] { return recovered; }); });
}

TEST_F(background_roles, a_damaged_message_becomes_a_dead_letter) {
  recoverer recovers(*context, held);
  command("HSET", "unacked", "t", "no JSON");
  const std::set<std::string> none;
  await([&] { return recovers.put_back_held({{"t", "no JSON"}}, none); });
  EXPECT_THAT(command("LINDEX", "skirmish:tasks:dead", 0).as_string(), HasSubstr("unreadable"));
}

TEST_F(background_roles, the_janitor_gives_back_what_python_workers_left) {
  recoverer recovers(*context, held);
  janitor sweeps(*context, recovers);
  hold("stale", envelope_of(call_of("add", "a")), 1000);
  hold("fresh", envelope_of(call_of("add", "b")), unix_now_s());
  command("ZADD", "unacked_index", "1000", "no message");
  await([&] { return sweeps.sweep(); });
  EXPECT_EQ(integer("LLEN", "q"), 1);
  EXPECT_EQ(integer("HLEN", "unacked"), 1);
  EXPECT_EQ(integer("ZCARD", "unacked_index"), 1);
}

TEST_F(background_roles, the_janitor_removes_abandoned_bindings_only) {
  recoverer recovers(*context, held);
  janitor sweeps(*context, recovers);
  const std::string bindings = "_kombu.binding.reply.celery.pidbox";
  command("SADD", bindings, binding_member("a", "a.reply"));
  command("LPUSH", "b.reply", "an answer");
  command("SADD", bindings, binding_member("b", "b.reply"));
  for (int i = 0; i < 100; ++i)
    command("SADD", "_kombu.binding.celeryev", binding_member("#", std::to_string(i)));
  await([&] { return sweeps.sweep(); });
  EXPECT_EQ(integer("SCARD", bindings), 2);
  EXPECT_EQ(integer("SCARD", "_kombu.binding.celeryev"), 100);
  command("SADD", "_kombu.binding.celeryev", binding_member("#", "one too many"));
  context->config.reply_idle_limit = 0s;
  await([&] { return sweeps.sweep(); });
  EXPECT_EQ(integer("SCARD", bindings), 0);
  EXPECT_EQ(integer("EXISTS", "b.reply"), 0);
  EXPECT_EQ(integer("EXISTS", "_kombu.binding.celeryev"), 0);
}

TEST_F(background_roles, a_far_eta_waits_in_redis_until_it_is_due) {
  eta_store etas(*context, held);
  auto m = call_of("add", "a");
  m.eta = wall_now() + 1h;
  auto j = testing::job_of(*context, m);
  hold(j->m.tag, j->m.raw, unix_now_s());
  held.schedule(j);
  await([&] { return etas.store(); });
  EXPECT_EQ(held.count(job_stage::scheduling), 0U);
  EXPECT_EQ(integer("HLEN", "unacked"), 0);
  EXPECT_EQ(integer("ZCARD", "skirmish:tasks:eta"), 1);
  std::chrono::milliseconds wait{};
  const auto release = [&]() -> awaitable<void> { wait = co_await etas.release_due(); };
  run(release);
  EXPECT_EQ(wait, 1s);
  EXPECT_EQ(integer("LLEN", "q"), 0);
  const auto member = command("ZRANGE", "skirmish:tasks:eta", 0, 0).as_strings().at(0);
  command("ZADD", "skirmish:tasks:eta", "1000", member);
  run(release);
  EXPECT_EQ(integer("ZCARD", "skirmish:tasks:eta"), 0);
  EXPECT_EQ(command("LINDEX", "q", 0).as_string(), j->m.raw);
}

TEST_F(background_roles, a_message_that_is_no_longer_held_is_not_scheduled) {
  eta_store etas(*context, held);
  auto m = call_of("add", "a");
  m.eta = wall_now() + 1h;
  held.schedule(testing::job_of(*context, m));
  await([&] { return etas.store(); });
  EXPECT_EQ(integer("ZCARD", "skirmish:tasks:eta"), 0);
}

TEST_F(background_roles, revocations_reach_a_worker_that_starts_later) {
  revocations first(*context), second(*context);
  first.add("a");
  await([&] { return first.synchronise(); });
  EXPECT_FALSE(first.has_unsaved());
  const auto j = testing::job_of(*context, call_of("add", "a"));
  EXPECT_FALSE(second.is_revoked(*j));
  await([&] { return second.synchronise(); });
  EXPECT_TRUE(second.is_revoked(*j));
  EXPECT_FALSE(second.has_unsaved());
  // One whose time is over is forgotten there.
  command("ZADD", "skirmish:tasks:revoked", "1000", "a");
  await([&] { return second.synchronise(); });
  EXPECT_EQ(integer("ZCARD", "skirmish:tasks:revoked"), 0);
}

TEST_F(background_roles, a_shared_rate_limit_grants_some_and_holds_the_rest_back) {
  rate_limiter rates(*context, held);
  for (const char* id : {"a", "b"})
    held.make_ready(testing::job_of(*context, call_of("shared", id)));
  held.make_ready(testing::job_of(*context, call_of("add", "c")));
  await([&] { return rates.grant_shared(); });
  EXPECT_EQ(held.count(job_stage::rate_limited), 1U);
  EXPECT_EQ(held.take_ready()->m.id, "a");
  EXPECT_EQ(held.take_ready()->m.id, "c");
  ASSERT_TRUE(held.next_due());
  EXPECT_GT(*held.next_due(), held_jobs::clock::now() + 50min);
}

TEST_F(background_roles, a_task_that_no_worker_knows_is_a_dead_letter) {
  unknown_tasks unknown(*context, held);
  unknown.add(testing::job_of(*context, call_of("nobody.knows", "a")));
  run([&]() -> awaitable<void> {
    co_await testing::eventually([&] { return held.count(job_stage::dead_letter) == 1; });
  });
  const auto dead = held.take(job_stage::dead_letter);
  EXPECT_THAT(dead[0]->dead_letter_reason, HasSubstr("no task nobody.knows is registered"));
  EXPECT_EQ(dead[0]->problem.type, "NotRegistered");
}

TEST_F(background_roles, a_chord_body_is_sent_once) {
  chord_joiner joiner(*context);
  const auto body = json_object{{"task", "add"},
                                {"args", json_array{}},
                                {"kwargs", json_object{}},
                                {"options", json_object{{"task_id", "body"}, {"queue", "q"}}}};
  const auto last = part_of({"m1", "root"}, "g", 1, "m1", body, "SUCCESS", "2");
  const std::vector<std::string> parts{R"([1, "m0", "SUCCESS", 1])", last.part};
  command("HSET", "skirmish:tasks:chords", "g", last.how);
  joiner.join(last, parts);
  joiner.join(last, parts);
  run([&]() -> awaitable<void> {
    co_await testing::eventually([&] { return context->background.size() == 0; });
  });
  ASSERT_EQ(integer("LLEN", "q"), 1);
  message m(command("RPOP", "q").as_string());
  ASSERT_TRUE(parse_envelope(m));
  EXPECT_EQ(m.id, "body");
  EXPECT_EQ(parse_body(m).value().args.at(0), json(json_array{1, 2}));
}

TEST_F(background_roles, a_chord_whose_worker_died_before_its_body_was_sent_is_found) {
  chord_joiner joiner(*context);
  const json how = json_object{
      {"body", json_object{{"task", "add"}, {"options", json_object{{"task_id", "body"}}}}},
      {"parent_id", "m0"},
      {"root_id", "m0"},
      {"at", unix_now_s() - 60}};
  std::string text;
  append_json(text, how);
  command("HSET", "skirmish:tasks:chords", "g", text);
  command("ZADD", "celery-taskset-meta-g.j", 0,
          R"([1, "m0", "FAILURE", {"exc_type": "ValueError", "exc_message": ["x"]}])");
  await([&] { return joiner.sweep(); });
  EXPECT_EQ(integer("HLEN", "skirmish:tasks:chords"), 0);
  EXPECT_THAT(command("GET", "celery-task-meta-body").as_string(),
              HasSubstr("Dependency m0 raised ValueError('x')"));
}

}  // namespace
}  // namespace skirmish::tasks
