// Work described but not yet sent: single calls, chains, groups and chords, in Celery's own JSON
// form.
//
//   // The result of one is the first argument of the next.
//   auto flow = chain({add.s(2, 3), add.s(4)});
//   // total([2, 4]) once both have ended.
//   auto both = chord({add.s(1, 1), add.s(2, 2)}, total.s());
//   app.send(flow).get(5s);
//
// Names may be those of Python tasks as well.
#pragma once

#include "skirmish/tasks/values.hpp"

#include <string_view>
#include <vector>

namespace skirmish::tasks {

class signature {
 public:
  explicit signature(std::string_view task, json_array args = {}, json_object kwargs = {});
  // From the wire. Not validated here: a bad signature fails when it is sent.
  static signature from_json(json_object document);

  // Does not get the result of the step before it.
  signature& immutable(bool value = true);
  signature& queue(std::string_view name) { return option("queue", json(name)); }
  signature& priority(int value) { return option("priority", value); }
  signature& countdown(milliseconds value) {
    return option("countdown", static_cast<double>(value.count()) / 1000.0);
  }
  signature& task_id(std::string_view id) { return option("task_id", json(id)); }
  signature& ignore_result(bool value = true) { return option("ignore_result", value); }
  signature& link(const signature& callback);
  signature& link_error(const signature& errback);
  // Any option of Celery's apply_async that is JSON.
  signature& option(std::string_view name, json value);

  [[nodiscard]] const json_object& document() const noexcept { return document_; }
  [[nodiscard]] json_object& document() noexcept { return document_; }

 private:
  signature() = default;
  json_object document_;
};

// One after the other. A group followed by something becomes a chord, as in Celery.
signature chain(const std::vector<signature>& steps);
// All at once.
signature group(const std::vector<signature>& members);
// All at once, then `body` with the list of their results.
signature chord(const std::vector<signature>& members, const signature& body);

}  // namespace skirmish::tasks
