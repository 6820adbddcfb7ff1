// Sends the body of a chord whose parts are all there. The parts go with the worker cycles of their
// members (chord_part.hpp).
#pragma once

#include "tasks/worker/worker_context.hpp"

#include <string>
#include <vector>

namespace skirmish::tasks {

class chord_joiner {
 public:
  explicit chord_joiner(worker_context& context);

  // Sends the body in the background: the worker that brought the last part calls this. `parts` are
  // all of them, in order.
  void join(const chord_part& last, std::vector<std::string> parts);
  // Sends the bodies of chords whose worker died between the last part and the body.
  awaitable<void> sweep();

 private:
  awaitable<void> send_body(std::string gid, std::string how, std::vector<std::string> parts);
  awaitable<void> fail_body(const json& body, const std::string& failed, const sending& sender,
                            plan& errbacks);

  worker_context& context_;
};

}  // namespace skirmish::tasks
