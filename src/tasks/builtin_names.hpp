// The tasks that every worker of Skirmish brings, by name, and their queue. What they do:
// builtin_tasks/.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skirmish::tasks {

namespace builtin {

// A queue of their own: on a Redis that Python workers share, each side serves what it knows.
inline constexpr const char* queue = "skirmish";

inline constexpr const char* echo = "echo";
inline constexpr const char* sleep = "sleep";
inline constexpr const char* send_notification = "send_notification";
inline constexpr const char* process_assignment = "process_assignment";
inline constexpr const char* rebuild_leaderboard = "rebuild_leaderboard";
inline constexpr const char* export_interactions = "export_interactions";
inline constexpr const char* status_webhook = "status_webhook";
inline constexpr std::array names{echo,
                                  send_notification,
                                  sleep,
                                  process_assignment,
                                  rebuild_leaderboard,
                                  export_interactions,
                                  status_webhook};

// The queue that a task goes to when nothing else is said: theirs, or Celery's default.
std::string queue_of(std::string_view task);
// The same as app_options::routes.
std::vector<std::pair<std::string, std::string>> routes();

}  // namespace builtin

}  // namespace skirmish::tasks
