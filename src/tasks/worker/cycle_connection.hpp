// The connection on which a worker runs its cycles: fetches messages, and executes each cycle
// exactly once, whatever happens to the connection.
//
// worker_cycle.lua remembers the last cycle's number, so a cycle is sent again until it is
// answered; what an unanswered fetch took is found by its tags. Redis' client tracking reports when
// a list that was found empty has changed, so an idle worker does not poll.
#pragma once

#include "tasks/worker/worker_context.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skirmish::tasks {

// The order in which queues are asked for `want` messages, and how many each may give before all
// have been asked: drawn by weight; strict: all of them, in the given order.
std::vector<std::pair<std::string, std::size_t>> serving_order(const weighted_queues& queues,
                                                               bool strict, std::size_t want);

class cycle_connection {
 public:
  struct handlers {
    std::function<void(std::string envelope, std::string tag, std::string queue)> on_message;
    // All parts of a chord are there: its body can be sent.
    std::function<void(const chord_part& last, std::vector<std::string> parts)> on_chord_complete;
  };

  cycle_connection(worker_context& context, handlers on);

  awaitable<void> run();  // connects, until stop(); give it to a task_group
  void stop() { redis_.stop(); }
  awaitable<void> wait_connected(std::chrono::steady_clock::duration deadline) {
    return redis_.wait_connected(deadline);
  }

  struct reply {
    // By position among the cycle's starts: lost to another worker, must not start.
    std::vector<bool> lost;
    redis::value fetched;  // for accept()
    std::size_t wanted = 0;
  };
  // Executes the cycle and fetches up to `want` messages. While Redis is away it waits; after
  // give_up() it throws instead.
  awaitable<reply> send(const worker_cycle& cycle, std::size_t want);
  // Hands the fetched messages to on_message(). Apart from send(), so that jobs start first.
  void accept(const reply& answer);
  void give_up() noexcept { gives_up_ = true; }

  // True when a fetch may bring something: the queues were not found empty since the last change.
  [[nodiscard]] bool may_have_messages() const noexcept { return may_have_messages_; }
  void expect_messages() noexcept { may_have_messages_ = true; }

 private:
  awaitable<void> enable_tracking();
  [[nodiscard]] redis::request commands(const worker_cycle& cycle) const;
  void push_fetch(redis::request& to, std::size_t want);
  awaitable<std::vector<redis::value>> exec_once(const worker_cycle& cycle, redis::request pipeline,
                                                 std::size_t want);
  awaitable<void> send_results(const worker_cycle& cycle);
  void report_chords(const std::vector<chord_part>& parts,
                     const std::vector<redis::value>& replies) const;
  awaitable<void> load_scripts(redis::client& at);
  awaitable<void> replace_connection(std::uint64_t lost);
  awaitable<void> back_off(std::string problem, unsigned failed_attempts);
  awaitable<void> reclaim(std::uint64_t after_tag, std::size_t count);

  worker_context& context_;
  handlers on_;
  redis::client redis_;
  const std::string tag_prefix_;
  std::uint64_t last_tag_ = 0;
  std::uint64_t last_cycle_ = 0;
  bool may_have_messages_ = true;
  bool gives_up_ = false;
  std::vector<std::string> fetch_queues_;  // of the lists of the last fetch, by position
};

}  // namespace skirmish::tasks
