// Revoked task ids, and revoked stamps (which Celery 5.3 puts into headers). Kept in Redis too, so
// that a worker which starts later knows them.
#pragma once

#include "tasks/worker/worker_context.hpp"

#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace skirmish::tasks {

// The stamps that a control command names, as ids for revocations. They are given in `headers`, as
// {"name": value or values} or as ["name=value", …].
std::vector<std::string> stamp_ids(const json_object& arguments);
// "name=value".
std::string stamp_text(std::string_view stamp_id);

class revocations {
 public:
  explicit revocations(worker_context& context);

  // Revokes a task id or a stamp_ids() entry, for three hours. Written by the next synchronise().
  void add(std::string id);
  // Whether the job's id or one of its stamps is revoked.
  [[nodiscard]] bool is_revoked(const job& j) const;
  // True when Redis does not know all of them.
  [[nodiscard]] bool has_unsaved() const noexcept { return !unsaved_.empty(); }
  // Task ids, the latest first.
  [[nodiscard]] std::vector<std::string> latest_ids(std::size_t limit) const;

  // Writes what is new here to Redis and reads what is new there. After a failure, which is thrown,
  // the next call writes it.
  awaitable<void> synchronise();

 private:
  bool remember(const std::string& id);
  [[nodiscard]] bool contains(const std::string& id) const;

  worker_context& context_;
  std::unordered_map<std::string, double> until_;  // id → when to forget it, Unix seconds
  std::deque<std::string> order_;                  // of arrival
  std::vector<std::string> unsaved_;
};

}  // namespace skirmish::tasks
