// Messages that could not be processed. Each is {"reason", "at", "queue", "priority", "id", "task",
// "node", "message"}; workers put at most 10,000 into the list, the newest in front.
#pragma once

#include "tasks/admin/operator.hpp"

#include <optional>
#include <string>
#include <vector>

namespace skirmish::tasks {

struct dead_letter_page {
  json_array items;                  // newest first
  std::optional<std::int64_t> next;  // how many older ones there are; nullopt at the end
  std::int64_t total = 0;            // on all pages
};
// `older`: `next` of the page before. New ones do not shift the pages.
awaitable<dead_letter_page> read_dead_letters(broker_view at, std::size_t limit,
                                              std::optional<std::int64_t> older);
awaitable<json_array> newest_dead_letters(broker_view at, std::size_t limit);

// The message of one with this task id; empty when there is none.
awaitable<std::string> find_dead_letter(broker_view at, std::string id);

// Puts dead letters back on their queues: those of these task ids, all if none are given. Returns
// how many. Their count of workers that died with them begins again.
awaitable<std::int64_t> requeue_dead_letters(broker_view at, std::vector<std::string> ids);
// Forgets them: those of these task ids, all if none are given.
awaitable<std::int64_t> drop_dead_letters(broker_view at, std::vector<std::string> ids);

}  // namespace skirmish::tasks
