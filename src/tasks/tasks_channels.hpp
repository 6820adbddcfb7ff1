// The WebSocket channels `queues`, `workers` and `tasks`, for operators: what the routes of these
// names answer, whenever it has been computed anew, and the rows of tasks that have changed. At
// most one message per second and channel. A reader who is far behind misses messages of `queues`
// and `workers`, where only the latest matters, and is closed when it reads `tasks`.
#pragma once

#include "core/event.hpp"
#include "realtime/realtime.hpp"
#include "tasks/admin/overview.hpp"

#include <array>
#include <memory>
#include <set>
#include <string>

namespace skirmish::tasks {

// Belongs to one thread.
class operation_channels {
 public:
  static constexpr std::size_t readers_max = 1'000;  // of a channel, on one thread

  operation_channels(asio::io_context& io, overview_board& board);
  ~operation_channels();
  operation_channels(const operation_channels&) = delete;
  operation_channels& operator=(const operation_channels&) = delete;

  void add_to(realtime::gateway& gateway);
  // Pushes until cancelled.
  awaitable<void> run();

 private:
  enum which { queues, workers, tasks };
  static constexpr std::array<const char*, 3> names{"queues", "workers", "tasks"};
  using readers = std::set<std::shared_ptr<realtime::connection>>;

  awaitable<result<void>> join(which channel, realtime::connection& c,
                               const realtime::json::object& message);
  void leave(which channel, realtime::connection& c);
  void push(which channel, const std::string& data);
  [[nodiscard]] static std::string frame_of(which channel, const std::string& data);

  [[nodiscard]] bool has_readers() const;
  void push_news();

  overview_board& board_;
  event joined_;
  std::array<readers, 3> readers_;
  std::shared_ptr<const overview> told_;
  std::shared_ptr<const changed_tasks> told_tasks_;
  std::chrono::steady_clock::time_point pushed_at_{};
};

}  // namespace skirmish::tasks
